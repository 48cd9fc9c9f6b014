# `make help` lists the targets. What one can set:
#
#   STACK   onedl (default): the maintained onedl-* packages; openmmlab: the originals; light:
#           neither torch nor OpenMMLab, what `pip install mmomni` brings
#   VENV    where the environment is made (.venv, .venv-openmmlab or .venv-light)
#   PYTHON  the interpreter it is made with (3.10 to 3.13; found if not given)
#   TORCH   what pip installs as torch, if not the tested version: a CUDA build, for instance, is
#           make env TORCH='torch==2.13.0 --index-url <the index that has it>'
#   ARGS    more arguments for `test` and `gpu`: make test ARGS="-m slow", or --minutes 20 for `gpu`
#   TESTS   processes that share the tests (one for each core, four at most): make test TESTS=0
#           runs them in pytest's own process, for a debugger

STACK ?= onedl
VENV_onedl := .venv
VENV_openmmlab := .venv-openmmlab
VENV_light := .venv-light
VENV ?= $(or $(VENV_$(STACK)),$(error STACK is onedl, openmmlab or light, not '$(STACK)'))
TORCH ?=
ARGS ?=
TESTS ?= auto

# The originals need torch 2.1, which has no build for Python 3.12.
NEWEST_onedl := 13
NEWEST_light := 13
NEWEST_openmmlab := 11
NEWEST = $(NEWEST_$(STACK))
FITS = -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $(NEWEST)))'
# Each candidate is run, because a version manager's stand-in can exist and still not work. The
# environment's own interpreter comes first: what was made with 3.12 stays with 3.12.
CANDIDATES = $(VENV)/bin/python python3 python3.13 python3.12 python3.11 python3.10
# (`true`, because make drops the output of a command that ends with 127, "not found".)
PYTHON ?= $(shell for python in $(CANDIDATES); do \
    $$python $(FITS) 2>/dev/null && echo $$python && break; done; true)

PYTEST := $(if $(filter light,$(STACK)),tests/light.py,-m pytest)
# All tests are run in both environments; some of them, by ARGS, only where STACK says.
ifeq ($(STACK)$(filter-out --strict-skips,$(ARGS)),onedl)
THEN_LIGHT = $(MAKE) --no-print-directory test STACK=light VENV=$(VENV_light)
endif

.PHONY: help env demo test versions gpu lint docs wheel clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /  \1\t/p' $(MAKEFILE_LIST)

env:  ## make the virtual environment; about ten minutes once, a second when it is there
	@python="$(PYTHON)"; $${python:-false} $(FITS) 2>/dev/null || { \
	    echo "make env: $${python:-no Python here} is no Python 3.10 to 3.$(NEWEST) with the modules" \
	        "venv and ensurepip; name one: make env PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	$$python tools/make_env.py --stack $(STACK) --venv '$(VENV)' --torch '$(TORCH)'

demo: env  ## forge images, train on them, test and draw the result: work_dirs/demo
	$(VENV)/bin/python tools/demo.py

test: env  ## run the tests; then, in .venv-light, those that need no torch
	$(VENV)/bin/python $(PYTEST) --numprocesses $(TESTS) --maxprocesses 4 --dist loadfile $(ARGS)
	$(THEN_LIGHT)

versions: env  ## some of the tests with the oldest versions of our dependencies, and the newest
	$(VENV)/bin/python tools/try_versions.py --oldest
	$(VENV)/bin/python tools/try_versions.py --newest

gpu: env  ## on a GPU: its tests, a benchmark, two short trainings; results in work_dirs/gpu.json
	$(VENV)/bin/python tools/gpu_check.py $(ARGS)

lint: env  ## ruff and mypy
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m mypy

docs: env  ## build the site of docs/ and the docstrings: docs/_build/index.html
	$(VENV)/bin/python -m sphinx --fresh-env --fail-on-warning --keep-going --quiet docs docs/_build

wheel: env  ## build the distributions; install and use them in a clean environment
	$(VENV)/bin/python .ci/check_wheel.py

clean:  ## remove caches and build products; environments and work_dirs stay
	rm -rf build dist docs/_build .pytest_cache .ruff_cache .mypy_cache
	find mmomni configs tools tests -name __pycache__ -type d -prune -exec rm -rf {} +
