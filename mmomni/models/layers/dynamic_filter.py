from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

from .folding_conv import FoldingConv
from .global_average import GlobalAverage
from .norms import single

_WIDEST_PADDING = 4
"""Zeros at each end of a row that oneDNN's fast kernels add themselves: four with AVX2, six with
AVX-512. With more it takes some forty times as long (512 x 128 x 128), a copy with zeros twice."""


class DynamicFilter(nn.Module):
    """Dynamic Weight Filter: a depthwise filter chosen for each sample.

    Paper, section 3.3.

    ``A = sigmoid(FC([V_c, V_g]))``, ``D_opt = sum_i A_i W_i``, depthwise convolution with
    ``D_opt``, then a 1x1 convolution (norm, ReLU).

    Args:
        channels: Channels of input and output.
        global_channels: Channels of ``V_g``.
        dilation: Of the 3x3 depthwise filter.
        norm_cfg: Norm layer.
        num_filters: Filters to choose from.
        dynamic: ``False`` is the paper's ablation *w.o. DW*: one filter, the same for every input.
    """

    def __init__(
        self,
        channels: int,
        global_channels: int,
        dilation: int,
        norm_cfg: dict,
        num_filters: int = 4,
        dynamic: bool = True,
    ) -> None:
        super().__init__()
        self.dilation = dilation
        self.filters = nn.Parameter(torch.empty(num_filters if dynamic else 1, channels, 3, 3))
        nn.init.kaiming_uniform_(self.filters.view(-1, 1, 3, 3), nonlinearity='linear')
        self.pool = GlobalAverage()
        self.attention = nn.Linear(channels + global_channels, num_filters) if dynamic else None
        self.pointwise = FoldingConv(channels, channels, 1, norm_cfg=norm_cfg)

    def forward(self, x: Tensor, v_g: Tensor, v_c: Tensor | None = None) -> Tensor:
        """``x`` (B, C, H, W), ``V_g`` (B, Cg), ``V_c = Avg(x)`` where it is known -> as ``x``."""
        if self.attention is None:
            d_opt = self.filters.expand(len(x), -1, -1, -1)
        else:
            v_c = self.pool(x) if v_c is None else v_c
            a = self.attention(torch.cat([v_c.flatten(1), v_g], dim=1)).sigmoid()
            d_opt = torch.einsum('bi,icyx->bcyx', a, self.filters)
        return self.pointwise(filter_each(x, d_opt.to(x.dtype), self.dilation))


def filter_each(x: Tensor, filters: Tensor, dilation: int) -> Tensor:
    """Depthwise convolution in which each sample has filters of its own.

    Args:
        x: (B, C, H, W).
        filters: (B, C, 3, 3).
        dilation: Also the padding, which keeps the size.
    """
    # A trace could not keep the functions of Python below.
    if x.device.type != 'cpu' or torch.jit.is_tracing():
        return _all_at_once(x, filters, dilation)
    # The backward pass has no autocast: everything here is in the precision of x.
    with torch.autocast('cpu', enabled=False):
        if not torch.is_grad_enabled():
            return _one_by_one(x, filters, dilation)
        return _OneByOne.apply(x, filters, dilation)


def _all_at_once(x: Tensor, filters: Tensor, dilation: int) -> Tensor:
    """One grouped convolution for the whole batch."""
    batch, channels, height, width = x.shape
    filtered = F.conv2d(
        x.contiguous().view(1, batch * channels, height, width),
        filters.reshape(batch * channels, 1, 3, 3),
        padding=dilation,
        dilation=dilation,
        groups=batch * channels,
    )
    return filtered.view(x.shape)


def _one_by_one(x: Tensor, filters: Tensor, dilation: int) -> Tensor:
    """One convolution for each sample, which stays channels-last if it was.

    Channels-last is 2.7 times as fast as planes are (oneDNN); a batch folded into the channels
    cannot have that layout.
    """
    samples = [
        _filter_one(x[i : i + 1], filters[i].unsqueeze(1), dilation) for i in range(len(x))
    ]
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
    x = F.pad(single(x), (0, -width % step, 0, -height % step))[0]
    phases = x.unflatten(2, (-1, step)).unflatten(1, (-1, step)).permute(2, 4, 1, 3, 0)
    return phases.flatten(0, 1).permute(0, 3, 1, 2)
