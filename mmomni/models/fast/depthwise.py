"""Depthwise convolutions on a CPU in which each sample has filters of its own."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight

from .batch_norms import at_least_single

_WIDEST_PADDING = 4
"""Zeros at each end of a row that oneDNN's fast kernels add themselves: four with AVX2, six with
AVX-512. With more it takes some forty times as long (512 x 128 x 128), a copy with zeros twice."""


def filter_one_by_one(x: Tensor, filters: Tensor, dilation: int) -> Tensor:
    """What :func:`mmomni.models.layers.dynamic_filter.filter_each` does, sample by sample."""
    # The backward pass has no autocast: everything here is in the precision of x.
    with torch.autocast('cpu', enabled=False):
        if not torch.is_grad_enabled():
            return _one_by_one(x, filters, dilation)
        return _OneByOne.apply(x, filters, dilation)


def _one_by_one(x: Tensor, filters: Tensor, dilation: int) -> Tensor:
    """One convolution for each sample, which stays channels-last if it was.

    Channels-last is 2.7 times as fast as planes are (oneDNN); a batch folded into the channels
    cannot have that layout.
    """
    samples = [_filter_one(x[i : i + 1], filters[i].unsqueeze(1), dilation) for i in range(len(x))]
    return torch.cat(samples) if len(samples) > 1 else samples[0]


def _filter_one(x: Tensor, filters: Tensor, dilation: int) -> Tensor:
    """(1, C, H, W), filters (C, 1, 3, 3) -> as ``x``."""
    padding = (dilation, dilation)
    if dilation > _WIDEST_PADDING:
        x, padding = F.pad(x, padding), (dilation, 0)
    return F.conv2d(x, filters, padding=padding, dilation=dilation, groups=x.shape[1])


class _OneByOne(torch.autograd.Function):
    """:func:`_one_by_one`, with gradients of our own.

    The input's is such a convolution (torch's takes six times as long), that of the filters an
    undilated one over :func:`_phases` (torch's dilated one takes ten times as long).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, filters: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, filters)
        ctx.dilation = dilation
        return _one_by_one(x, filters, dilation)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, filters = ctx.saved_tensors
        of_x = _one_by_one(gradient, filters.flip(2, 3), ctx.dilation)
        of_filters = [
            conv2d_weight(
                _phases(x[i : i + 1], ctx.dilation), (x.shape[1], 1, 3, 3),
                _phases(gradient[i : i + 1], ctx.dilation), padding=1, groups=x.shape[1],
            )
            for i in range(len(x))
        ]  # fmt: skip
        return of_x, torch.stack(of_filters).squeeze(2).to(filters.dtype), None


def _phases(x: Tensor, step: int) -> Tensor:
    """Of each ``step`` rows and columns one, from each start: (1, C, H, W) -> (step^2, C, h, w).

    ``h = ceil(H / step)``, ``w`` alike; what is missing is zero. A dilated filter is an undilated
    one on each of these. Half precision becomes single, whose sums keep their digits.
    """
    height, width = x.shape[2:]
    # In four dimensions: in three, a padded map would be no more channels-last.
    x = F.pad(at_least_single(x), (0, -width % step, 0, -height % step))[0]
    phases = x.unflatten(2, (-1, step)).unflatten(1, (-1, step)).permute(2, 4, 1, 3, 0)
    return phases.flatten(0, 1).permute(0, 3, 1, 2)
