"""In which order, and in whose place, the values of a map lie in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace

import torch
from torch import Tensor

from .switch import chooses_kernels, enabled, on_cpu

CPU_LAYOUT = torch.channels_last
"""Of the networks' maps on a CPU: there oneDNN's depthwise convolutions take a third of the time
of those on planes, and their gradients a third to a fifth."""
ACCELERATOR_LAYOUT = torch.channels_last
"""Of those on any other device: what tensor cores multiply. No card has decided yet; the other one
is ``torch.contiguous_format``, and the benchmark has both (``--layouts``)."""
_forced = SimpleNamespace(layout=None)


@contextmanager
def layout(memory_format: torch.memory_format | None) -> Iterator[None]:
    """Within, maps of all devices have this layout; ``None``: each device's own."""
    before, _forced.layout = _forced.layout, memory_format
    try:
        yield
    finally:
        _forced.layout = before


def layout_of(x: Tensor) -> torch.memory_format:
    """In which maps of the networks lie on the device of ``x``."""
    return _forced.layout or (CPU_LAYOUT if on_cpu(x) else ACCELERATOR_LAYOUT)


def laid_out(x: Tensor) -> Tensor:
    """A map in the layout of its device, (B, C, H, W) -> the same; what follows keeps it.

    For where maps begin, and where what made them has no layout of its own. A trace has none.
    """
    if not enabled() or torch.jit.is_tracing():
        return x
    return x.contiguous(memory_format=layout_of(x))


def laid_out_like(x: Tensor, other: Tensor) -> Tensor:
    """``x`` channels-last if the other map is, else as planes; (B, C, H, W) -> the same.

    For what was pooled, concatenated or a row for each pixel, and has lost the layout.
    """
    if not enabled() or torch.jit.is_tracing():
        return x
    is_last = other.is_contiguous(memory_format=torch.channels_last)
    return x.contiguous(
        memory_format=torch.channels_last if is_last else torch.contiguous_format
    )


def laid_out_for_many_channels(pooled: Sequence[Tensor], other: Tensor) -> list[Tensor]:
    """Pooled maps beside which another is put before a 3x3 convolution of thousands of channels.

    Like the other one, whose layout all together then have; but on a CPU as they are, as planes:
    on a few pixels oneDNN takes two thirds of the time there.
    """
    if not enabled() or chooses_kernels(other):
        return list(pooled)
    return [laid_out_like(x, other) for x in pooled]


def laid_out_for_filters(x: Tensor) -> Tensor:
    """A map that several filters of each sample's own look at; (B, C, H, W) -> the same.

    But on a CPU they are one convolution of a batch that is folded into the channels, which only
    planes can be. So these are made once, and what follows stays so, instead of a copy to and fro
    for each filter.
    """
    return x.contiguous() if enabled() and not chooses_kernels(x) else x


def planes(x: Tensor) -> Tensor:
    """All pixels of a channel side by side; (B, C, H, W) -> the same.

    Maps of two channels are enlarged in a quarter of the time that channels-last takes.
    """
    return x.contiguous() if enabled() else x


def scale(x: Tensor, factor: Tensor) -> Tensor:
    """``x * factor``, in place where no gradient needs ``x`` as it was; nobody else may need it."""
    return x.mul_(factor) if enabled() and not torch.is_grad_enabled() else x * factor
