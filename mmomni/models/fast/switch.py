"""Whether speed-ups are taken, for all models of this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import torch
from torch import Tensor

_switch = SimpleNamespace(on=True)


@contextmanager
def disabled() -> Iterator[None]:
    """Within, all models of this process compute as the paper's figures draw them."""
    before, _switch.on = _switch.on, False
    try:
        yield
    finally:
        _switch.on = before


def enabled() -> bool:
    """Whether speed-ups may be taken."""
    return _switch.on


def chooses_kernels(x: Tensor) -> bool:
    """Whether speed-ups that are for a CPU's libraries may be taken on ``x``.

    A trace could not keep them: it has neither memory layouts nor functions of Python.
    """
    return _switch.on and x.device.type == 'cpu' and not torch.jit.is_tracing()
