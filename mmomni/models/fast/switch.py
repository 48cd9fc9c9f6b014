"""Whether speed-ups are taken, for all models of this process."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace

import torch
from torch import Tensor

_switch = SimpleNamespace(on=True)


def disabled() -> AbstractContextManager[None]:
    """Within, all models of this process compute as the paper's figures draw them."""
    return _turned(on=False)


@contextmanager
def _turned(on: bool) -> Iterator[None]:
    before, _switch.on = _switch.on, on
    try:
        yield
    finally:
        _switch.on = before


def as_in_forward() -> tuple[AbstractContextManager, AbstractContextManager]:
    """``context_fn`` of torch's checkpoint: what is computed anew takes the form that forward took.

    Backward may run outside of :func:`disabled`.
    """
    return nullcontext(), _turned(_switch.on)


def enabled() -> bool:
    """Whether speed-ups may be taken."""
    return _switch.on


def chooses_kernels(x: Tensor) -> bool:
    """Whether speed-ups that are for a CPU's libraries may be taken on ``x``.

    A trace could not keep them: it has neither memory layouts nor functions of Python.
    """
    return _switch.on and x.device.type == 'cpu' and not torch.jit.is_tracing()
