"""Runs of mmengine's runner: what is checked before them, and their hooks."""

# First of all: hooks are built before loops, at which the runner imports all of mmseg, which would
# print a line that is of no use.
from mmomni.datasets import host as _host  # noqa: F401
