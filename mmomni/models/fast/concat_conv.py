"""A 1x1 convolution of a concatenation that is never built.

It is the sum of one of each map, and it commutes with bilinear interpolation and with broadcasting:
so smaller maps pass it at their own size.
"""

import math
from collections.abc import Iterable, Sequence

from mmcv.cnn import ConvModule
from mmseg.models.utils import resize
from torch import Tensor

from .convolution import convolve
from .folding_conv import fold


def convolve_parts(
    module: ConvModule,
    parts: Iterable[Tensor],
    part_channels: Sequence[int],
    size: tuple[int, int],
    align_corners: bool,
) -> Tensor:
    """1x1 convolution, norm, activation of what would be resized and concatenated.

    Args:
        module: Of ``sum(part_channels)`` channels.
        parts: Maps (B, Ci, hi, wi); those of one pixel spread out.
        part_channels: Their ``Ci``.
        size: ``h, w`` of the output.
        align_corners: Of the interpolation.

    Returns:
        (B, C, h, w).
    """
    weight, bias, norm = fold(module, math.prod(size))  # of one sample: that is enough to tell
    total: Tensor | None = None
    for part, part_weight in zip(parts, weight.split(tuple(part_channels), dim=1), strict=True):
        x = convolve(module.conv, part, part_weight, bias if total is None else None)
        if x.shape[2:] not in (size, (1, 1)):
            x = resize(x, size, mode='bilinear', align_corners=align_corners)
        if total is not None:
            # in place: nothing here keeps its output for the gradient
            x = total.add_(x) if total.shape[2:] == size else x.add_(total)
        total = x
    assert total is not None
    if norm is not None:
        total = norm(total)
    return module.activate(total) if module.with_activation else total
