"""In which order a CPU finds the values of a map."""

import torch
from torch import Tensor


def channels_last(x: Tensor) -> Tensor:
    """All channels of a pixel side by side, on a CPU; (B, C, H, W) -> the same.

    What follows keeps the layout. There oneDNN's depthwise convolutions take a third of the time
    of those on planes, and their gradients a third to a fifth.
    """
    # An exporter knows no layouts.
    if x.device.type != 'cpu' or torch.jit.is_tracing():
        return x
    return x.contiguous(memory_format=torch.channels_last)


def planes(x: Tensor) -> Tensor:
    """All pixels of a channel side by side; (B, C, H, W) -> the same.

    Maps of two channels are enlarged in a quarter of the time that channels-last takes.
    """
    return x.contiguous()
