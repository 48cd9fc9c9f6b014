"""The networks as the paper's figures draw them: what their speed-ups are compared with.

The layout that a map has, and what is done in place, stay as they are.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from mmcv.cnn import ConvModule
from mmseg.models.utils import resize
from torch import Tensor, nn

from mmomni.models.backbones.convnext import PointwiseLinear
from mmomni.models.layers import (
    ConcatConv,
    DynamicFilter,
    FoldingConv,
    FrequencyPerceptionHead,
    GlobalAverage,
    ModalGate,
    dynamic_filter,
)


def _frequency_head(self: FrequencyPerceptionHead, coefficients: Tensor, table: Tensor) -> Tensor:
    """One-hot and 64 channels at full resolution."""
    return self.blocks(self._plainly(coefficients, table))


def _concat_conv(self: ConcatConv, parts: Iterable[Tensor], size: Sequence[int]) -> Tensor:
    """All maps resized, then concatenated, then convolved."""
    resized = [
        part.expand(-1, -1, *size)
        if part.shape[2:] == (1, 1)
        else resize(part, tuple(size), mode='bilinear', align_corners=self.align_corners)
        for part in parts
    ]
    return ConvModule.forward(self, torch.cat(resized, dim=1))


def _modal_gate(
    self: ModalGate, f_rgb: Tensor, f_fused: Tensor, p_rgb: Tensor, p_fused: Tensor
) -> Tensor:
    """The predictions repeated."""
    repeated = [p.softmax(dim=1).repeat(1, self.repeats, 1, 1) for p in (p_rgb, p_fused)]
    x = self.convs(torch.cat([f_rgb, f_fused, *repeated], dim=1))
    return self.linear(self.pool(x).flatten(1)).squeeze(1)


_fast_dynamic_filter = DynamicFilter.forward


def _dynamic_filter(
    self: DynamicFilter, x: Tensor, v_g: Tensor, _v_c: Tensor | None = None
) -> Tensor:
    """With an average of its own, whatever is known."""
    return _fast_dynamic_filter(self, x, v_g)


PLAIN: Sequence[tuple[Any, str, Any]] = (
    (PointwiseLinear, 'forward', nn.Linear.forward),
    (FrequencyPerceptionHead, 'forward', _frequency_head),
    (ConcatConv, 'forward', _concat_conv),
    (ModalGate, 'forward', _modal_gate),
    (FoldingConv, 'forward', ConvModule.forward),
    (GlobalAverage, 'forward', nn.AdaptiveAvgPool2d.forward),
    (DynamicFilter, 'forward', _dynamic_filter),
    (dynamic_filter, 'filter_each', dynamic_filter._all_at_once),  # one grouped convolution
)
"""Whose method or function, its name, and the plain one."""


@contextmanager
def plainly() -> Iterator[None]:
    """Let all models of this process run without their speed-ups within."""
    with ExitStack() as stack:
        for owner, name, plain in PLAIN:
            stack.enter_context(patch.object(owner, name, plain))
        yield
