"""Convolutions of concatenations that are never built: their weights are taken apart, or add up."""

import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.utils import resize
from torch import Tensor

from .convolution import convolve, fold
from .memory import laid_out_like


def convolve_parts(
    module: ConvModule,
    parts: Iterable[Tensor],
    part_channels: Sequence[int],
    size: tuple[int, int],
    align_corners: bool,
) -> Tensor:
    """1x1 convolution, norm, activation of what would be resized and concatenated.

    It is the sum of one of each map, and it commutes with bilinear interpolation and with
    broadcasting: so smaller maps pass it at their own size. Parts (B, Ci, hi, wi) -> (B, C, h, w)
    of the given size, as :class:`~mmomni.models.layers.ConcatConv` says.
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


def convolve_repeats(
    module: ConvModule, features: Sequence[Tensor], repeated: Sequence[Tensor], repeats: int
) -> Tensor:
    """``module(concat(features, repeat(repeated)))``: convolution, norm and activation.

    Maps (B, Ci, h, w), and maps (B, K, h, w), each to be repeated to ``repeats * K`` channels, ->
    (B, C, h', w').
    """
    conv, classes = module.conv, repeated[0].shape[1]
    own = sum(x.shape[1] for x in features)
    of_repeats = conv.weight[:, own:].unflatten(1, (len(repeated), repeats, classes)).sum(dim=2)
    weight = torch.cat([conv.weight[:, :own], of_repeats.flatten(1, 2)], dim=1)
    # Together they keep the features' layout only if all have it.
    alike = (laid_out_like(x, features[0]) for x in repeated)
    x = torch.cat([*features, *alike], dim=1)
    x = F.conv2d(x, weight, conv.bias, conv.stride, conv.padding)
    return module.activate(module.norm(x))
