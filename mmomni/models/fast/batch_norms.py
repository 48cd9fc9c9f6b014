"""Batch norms as what they are: a factor and a summand for each channel."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def normalisation(norm: Any, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """A batch norm that does not learn from the batch, or none, as scale and shift.

    None is ``nn.Identity`` after :func:`mmcv.cnn.fuse_conv_bn`. The bias is that of the convolution
    before, still to be added. Two tensors (C,), of a batch norm at least in single precision.

    Raises:
        ValueError: No norm, and no bias either: nothing was fused here.
    """
    if isinstance(norm, nn.Identity):
        if bias is None:
            raise ValueError('expected a bias in a convolution that its norm was fused into')
        return torch.ones_like(bias), bias
    mean, variance = at_least_single(norm.running_mean), at_least_single(norm.running_var)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return scale, norm.bias - (mean - (0 if bias is None else bias)) * scale


def batch_normalisation(
    norm: Any, mean: Tensor, variance: Tensor, count: int | Tensor
) -> tuple[Tensor, Tensor]:
    """A batch norm that learns from the batch, as scale and shift; differentiable.

    Mean and biased variance, (C,), of the pixels that pass the norm on this rank, and their count
    -> two tensors (C,), in double precision. A synchronised norm learns from all ranks.
    """
    mean, variance = mean.double(), variance.double()
    if isinstance(norm, nn.SyncBatchNorm) and dist.is_available() and dist.is_initialized():
        sums = torch.stack([mean, variance + mean**2, torch.ones_like(mean)]) * count
        *sums, counts = _SumOfRanks.apply(sums, norm.process_group)
        mean, square = (x / counts.detach() for x in sums)
        variance, count = square - mean**2, counts[0]
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean.to(norm.running_mean), norm.momentum)
        unbiased = variance * (count / (count - 1))
        norm.running_var.lerp_(unbiased.to(norm.running_var), norm.momentum)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return scale, norm.bias - mean * scale


def at_least_single(x: Tensor) -> Tensor:
    """In single precision, if it was in half."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class _SumOfRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        x = x.clone()
        dist.all_reduce(x, group=group)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _SumOfRanks.forward(ctx, gradient, ctx.group), None
