"""What only a GPU can show: ``pytest -m gpu``; ``make gpu`` runs it and writes all results down.

Every test takes its device from the fixture ``device``; with ``MMOMNI_GPU_TESTS_ON=cpu`` that is
the CPU, so that the tests themselves can be tried on a machine without a card.
"""

import contextlib
import gc
import json
import os
from pathlib import Path

import pytest
import torch
from visible_devices import is_trial

FOLDER = Path(__file__).resolve().parent
NO_DEVICE = 'no CUDA device: torch.cuda.is_available() is False'
NO_OPERATORS = (
    'mmcv was built without its CUDA operators, which box supervision needs on a GPU: with nvcc of '
    'the CUDA that torch was built for at hand, pip uninstall onedl-mmcv, then MMCV_WITH_OPS=1 '
    'FORCE_CUDA=1 pip install --no-build-isolation --no-cache-dir onedl-mmcv'
)
RESULTS = 'MMOMNI_GPU_RESULTS'
"""Environment: a file to which every phase of every test is appended as a line of JSON."""
LOST = 70
"""Exit status where CUDA answers no more, so that no test of this process could pass."""


@pytest.hookimpl(tryfirst=True)  # before pytest looks at marks
def pytest_collection_modifyitems(items):
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.gpu)


def pytest_runtest_logstart(nodeid, location):
    _note(test=nodeid, phase='start')


def pytest_runtest_logreport(report):
    message = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    _note(
        test=report.nodeid, phase=report.when, outcome=report.outcome, seconds=report.duration,
        figures=dict(report.user_properties), message=message,
    )  # fmt: skip


def _note(**line):
    """At once: a test may end the process."""
    if path := os.environ.get(RESULTS):
        with open(path, 'a', encoding='utf-8') as file:
            file.write(json.dumps(line) + '\n')


@pytest.fixture(autouse=True, scope='session')
def device():
    """The first GPU that torch sees; without one this skips every test."""
    if is_trial():
        return torch.device('cpu')
    if not torch.cuda.is_available():
        pytest.skip(NO_DEVICE)
    return torch.device('cuda', 0)


@pytest.fixture(scope='session')
def operators(device):
    """mmcv's, on the device; whoever trains boxes asks for them."""
    from mmcv.ops import get_compiling_cuda_version

    if device.type == 'cuda' and get_compiling_cuda_version() == 'not available':
        pytest.fail(NO_OPERATORS, pytrace=False)


@pytest.fixture(scope='session')
def two_devices(device):
    """Two ranks can run: NCCL lets no two of them share a card."""
    if device.type == 'cuda' and torch.cuda.device_count() < 2:
        pytest.skip('two ranks need two cards, torch sees one')


@pytest.fixture(autouse=True)
def exact(device):
    """Single precision is single precision, whatever the defaults of this version of torch."""
    switches = (
        (torch.backends.cuda.matmul, 'allow_tf32'), (torch.backends.cudnn, 'allow_tf32'),
        (torch.backends.cudnn, 'benchmark'),
    )  # fmt: skip
    before = [getattr(owner, name) for owner, name in switches]
    for owner, name in switches:
        setattr(owner, name, False)
    yield
    for (owner, name), value in zip(switches, before, strict=True):
        setattr(owner, name, value)


@pytest.fixture(autouse=True)
def alive(device):
    """After an illegal access every further call of CUDA fails: the next tests need a process."""
    yield
    if device.type == 'cuda':
        try:
            torch.cuda.synchronize(device)
        except RuntimeError as error:
            pytest.exit(f'CUDA answers no more in this process: {error}', returncode=LOST)
        gc.collect()
        with contextlib.suppress(RuntimeError):
            torch.cuda.empty_cache()


@pytest.fixture
def enough_memory(device):
    """Skips where a card has less than so many bytes left."""

    def demand(size):
        if device.type == 'cuda' and (free := torch.cuda.mem_get_info(device)[0]) < size:
            pytest.skip(f'needs {size / 2**30:.0f} GiB of a card, {free / 2**30:.0f} GiB are free')

    return demand
