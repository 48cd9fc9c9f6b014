"""The first two convolutions on ``|q|`` without their one-hot and without their 64 channels.

A 3x3 convolution on a one-hot adds up nine columns of its kernel. With dilation 8, its taps are
the same place in the 3x3 blocks around: so pixels are kept block by block, the kernel is a table of
rows to look up, and stripes of blocks pass one after the other. For a gradient a stripe is
computed anew instead of being kept.

Letters: ``B`` batch, ``h w`` height and width in blocks of 8 x 8, ``C`` channels of the first
convolution, ``D`` of the second, ``P`` pixels of a stripe, ``R`` rows of the table.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

NUM_VALUES = 21
"""``|q|`` is told apart from 0 to 20; larger ones are read as 20."""
_OUTSIDE = NUM_VALUES
"""Value of pixels outside the image, for which every tap has a row of zeros."""
_TAP = NUM_VALUES + 1
_NUM_TAPS = 9
_CPU_PIXELS = 2**13
"""Of a stripe: 2 MB of 64 channels stay in a core's cache. Accelerators want larger stripes."""
_ACCELERATOR_PIXELS = 2**17


def to_blocks(coefficients: Tensor) -> Tensor:
    """``|q|`` (B, H, W) -> values (B, h + 2, w + 2, 64), with a border of blocks outside."""
    batch, height, width = coefficients.shape
    values = coefficients.clamp(max=NUM_VALUES - 1).int()
    blocks = values.view(batch, height // 8, 8, width // 8, 8).transpose(2, 3).flatten(3)
    return F.pad(blocks, (0, 0, 1, 1, 1, 1), value=_OUTSIDE)


def make_table(kernel: Tensor) -> Tensor:
    """Kernel (C, 21, 3, 3) -> (R, C): for each tap, a row for each value and one of zeros."""
    rows = kernel.permute(2, 3, 1, 0).flatten(0, 1)
    return F.pad(rows, (0, 0, 0, 1)).flatten(0, 1)


def stripes(blocks: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Rows of blocks that pass together, and rows of the table for their pixels, (P, 9)."""
    batch, height, width, pixels = blocks.shape
    height, width = height - 2, width - 2
    limit = _CPU_PIXELS if blocks.device.type == 'cpu' else _ACCELERATOR_PIXELS
    step = max(1, limit // (batch * width * pixels))
    first = torch.arange(_NUM_TAPS, dtype=blocks.dtype, device=blocks.device) * _TAP
    for top in range(0, height, step):
        end = min(top + step, height)
        taps = [blocks[:, top + u : end + u, v : v + width] for u in range(3) for v in range(3)]
        yield slice(top, end), (torch.stack(taps, dim=-1) + first).view(-1, _NUM_TAPS)


def look_up(indices: Tensor, table: Tensor) -> Tensor:
    """Sum of nine rows of the table for each pixel: (P, 9) and (R, C) -> (P, C)."""
    return F.embedding_bag(indices, table, mode='sum')


def _look_up_backward(indices: Tensor, gradient: Tensor) -> Tensor:
    """Gradient (P, C) of what was looked up -> that of the table, (R, C)."""
    add_up = _add_rows if gradient.device.type == 'cpu' else _multiply_one_hot
    taps = enumerate(indices.long().T.contiguous())
    return torch.cat([add_up(rows - tap * _TAP, gradient) for tap, rows in taps])


def _add_rows(values: Tensor, gradient: Tensor) -> Tensor:
    """Sum of the rows (P, C) of each value, (22, C)."""
    return gradient.new_zeros(_TAP, gradient.shape[1]).index_add_(0, values, gradient)


def _multiply_one_hot(values: Tensor, gradient: Tensor) -> Tensor:
    """The same where atomic additions to so few rows would wait for each other."""
    one_hot = values[:, None] == torch.arange(_TAP, device=values.device)
    return one_hot.to(gradient.dtype).T @ gradient


class _Moments(torch.autograd.Function):
    """Mean and (biased) variance of what is looked up, over all pixels."""

    @staticmethod
    def forward(ctx: Any, blocks: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        count, mean = 0, table.new_zeros(table.shape[1])
        deviation = torch.zeros_like(mean)
        for _, indices in stripes(blocks):
            y = look_up(indices, table)
            share = len(y) / (count + len(y))
            mean_here = y.mean(dim=0)
            difference = mean_here - mean
            squares = y.sub_(mean_here).square_().sum(dim=0)
            deviation += squares + difference**2 * (count * share)
            mean = mean + share * difference
            count += len(y)
        ctx.save_for_backward(blocks, table, mean)
        ctx.count = count
        return mean, deviation / count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        blocks, table, mean = ctx.saved_tensors
        of_mean, of_variance = (gradient / ctx.count for gradient in gradients)
        total = torch.zeros_like(table)
        for _, indices in stripes(blocks):
            y = look_up(indices, table) - mean
            total += _look_up_backward(indices, y.mul_(2 * of_variance).add_(of_mean))
        return None, total


class _Embedding(torch.autograd.Function):
    """``relu(scale * look_up + shift)``, then a 1x1 convolution."""

    @staticmethod
    def forward(
        ctx: Any, blocks: Tensor, table: Tensor, scale: Tensor, shift: Tensor, weight: Tensor
    ) -> Tensor:
        ctx.save_for_backward(blocks, table, scale, shift, weight)
        batch, height, width, pixels = blocks.shape
        out = table.new_empty(batch, len(weight), height - 2, width - 2, pixels)
        for rows, indices in stripes(blocks):
            x = look_up(indices, table).mul_(scale).add_(shift).relu_()
            part = out[:, :, rows].movedim(1, -1)
            part.copy_((x @ weight.T).view_as(part))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        blocks, table, scale, shift, weight = ctx.saved_tensors
        of_table, of_scale, of_shift, of_weight = map(
            torch.zeros_like, (table, scale, shift, weight)
        )
        for rows, indices in stripes(blocks):
            y = look_up(indices, table)
            x = torch.addcmul(shift, y, scale).relu_()
            of_out = gradient[:, :, rows].movedim(1, -1).reshape(-1, len(weight))
            of_weight += of_out.T @ x
            of_x = (of_out @ weight).mul_(x > 0)
            of_shift += of_x.sum(dim=0)
            of_scale += y.mul_(of_x).sum(dim=0)
            of_table += _look_up_backward(indices, of_x.mul_(scale))
        return None, of_table, of_scale, of_shift, of_weight


def embed(blocks: Tensor, table: Tensor, scale: Tensor, shift: Tensor, weight: Tensor) -> Tensor:
    """Look up, scale and shift, ReLU, 1x1 convolution; differentiable.

    Args:
        blocks: Of :func:`to_blocks`.
        table: (R, C).
        scale: (C,).
        shift: (C,).
        weight: (D, C).

    Returns:
        (B, D, h, w, 64).
    """
    return _Embedding.apply(blocks, table, scale, shift, weight)


def normalisation(norm: Any, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """A batch norm that does not learn from the batch, or none, as scale and shift.

    Args:
        norm: Batch norm, or ``nn.Identity`` after :func:`mmcv.cnn.fuse_conv_bn`.
        bias: Of the convolution before, which is still to be added.
    """
    if isinstance(norm, nn.Identity):
        if bias is None:
            raise ValueError('expected a bias in a convolution that its norm was fused into')
        return torch.ones_like(bias), bias
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - (norm.running_mean - (0 if bias is None else bias)) * scale


def batch_normalisation(norm: Any, blocks: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift of a batch norm that learns from what is looked up in this batch."""
    mean, variance = _Moments.apply(blocks, table)
    batch, height, width, pixels = blocks.shape
    pixels *= batch * (height - 2) * (width - 2)
    count = mean.new_full((), pixels, dtype=torch.float64)  # new_tensor would synchronise
    if isinstance(norm, nn.SyncBatchNorm) and dist.is_available() and dist.is_initialized():
        mean, variance, count = _over_ranks(mean, variance, count, norm.process_group)
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean.to(norm.running_mean), norm.momentum)
        unbiased = variance * (count / (count - 1))
        norm.running_var.lerp_(unbiased.to(norm.running_var), norm.momentum)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return scale, norm.bias - mean * scale


def _over_ranks(
    mean: Tensor, variance: Tensor, count: Tensor, group: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, variance and number of pixels of this rank -> those of all ranks."""
    from torch.distributed.nn.functional import all_reduce

    square = variance.double() + mean.double() ** 2
    sums = torch.cat([mean.double() * count, square * count, count[None]])
    sums = all_reduce(sums, group=group if group is not None else dist.group.WORLD)
    total = sums[-1].detach()
    mean_of_all, square_of_all = (sums[:-1] / total).chunk(2)
    variance_of_all = (square_of_all - mean_of_all**2).clamp(min=0)
    return mean_of_all.to(mean), variance_of_all.to(variance), total
