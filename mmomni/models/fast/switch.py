"""Whether speed-ups are taken, for all models of this process."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace

import torch
from torch import Tensor

_switch = SimpleNamespace(on=True, as_accelerator=False)


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


@contextmanager
def as_on_accelerators() -> Iterator[None]:
    """Within, models on a CPU take the forms that those on an accelerator take.

    So that these can be tested, and measured, where there is none.
    """
    before, _switch.as_accelerator = _switch.as_accelerator, True
    try:
        yield
    finally:
        _switch.as_accelerator = before


def on_cpu(x: Tensor) -> bool:
    """Whether the forms for a CPU are taken on ``x``; whatever differs by device asks here."""
    return x.device.type == 'cpu' and not _switch.as_accelerator


def chooses_kernels(x: Tensor) -> bool:
    """Whether speed-ups that are for a CPU's libraries may be taken on ``x``.

    A trace could not keep them: it has neither memory layouts nor functions of Python.
    """
    return _switch.on and on_cpu(x) and not torch.jit.is_tracing()
