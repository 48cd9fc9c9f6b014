"""The first two convolutions on ``|q|`` without their one-hot and without their 64 channels.

A 3x3 convolution on a one-hot adds up nine columns of its kernel. With dilation 8, its taps are
the same place in the 3x3 blocks around: so pixels are kept block by block, the kernel is a table of
rows to look up, and stripes of blocks pass one after the other. For a gradient a stripe is
computed anew instead of being kept. A batch norm learns from how often rows meet: see `moments`.

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


def stripes(blocks: Tensor) -> Iterator[tuple[slice, list[Tensor]]]:
    """Rows of blocks that pass together, and what the nine taps see from them.

    What a tap sees has the shape (B, rows, w, 64): the ``P`` pixels of the stripe.
    """
    batch, height, width, pixels = blocks.shape
    limit = _CPU_PIXELS if blocks.device.type == 'cpu' else _ACCELERATOR_PIXELS
    step = max(1, limit // (batch * (width - 2) * pixels))
    for top in range(0, height - 2, step):
        end = min(top + step, height - 2)
        yield slice(top, end), _taps(blocks[:, top : end + 2])


def _taps(blocks: Tensor) -> list[Tensor]:
    """Blocks with a border -> what each of the nine taps sees from those within."""
    height, width = blocks.shape[1] - 2, blocks.shape[2] - 2
    return [blocks[:, u : u + height, v : v + width] for u in range(3) for v in range(3)]


def look_up(taps: list[Tensor], table: Tensor) -> Tensor:
    """Sum of nine rows of the table for each pixel, (P, C)."""
    values = torch.stack(taps, dim=-1).view(-1, _NUM_TAPS)
    first_rows = torch.arange(_NUM_TAPS, dtype=values.dtype, device=values.device) * _TAP
    return F.embedding_bag(values + first_rows, table, mode='sum')


def _look_up_backward(taps: list[Tensor], gradient: Tensor) -> Tensor:
    """Gradient (P, C) of what was looked up -> that of the table, (R, C)."""
    add_up = _add_rows if gradient.device.type == 'cpu' else _multiply_one_hot
    return torch.cat([add_up(tap.flatten().long(), gradient) for tap in taps])


def _add_rows(values: Tensor, gradient: Tensor) -> Tensor:
    """Sum of the rows (P, C) of each value, (22, C)."""
    return gradient.new_zeros(_TAP, gradient.shape[1]).index_add_(0, values, gradient)


def _multiply_one_hot(values: Tensor, gradient: Tensor) -> Tensor:
    """The same where atomic additions to so few rows would wait for each other."""
    one_hot = values[:, None] == torch.arange(_TAP, device=values.device)
    return one_hot.to(gradient.dtype).T @ gradient


def count_pairs(blocks: Tensor) -> Tensor:
    """How many pixels look up both of two rows of the table, (R, R) in double precision."""
    count = _count_by_bins if blocks.device.type == 'cpu' else _count_by_products
    return count(blocks).double()


def _count_by_bins(blocks: Tensor) -> Tensor:
    """Each pair of taps has a bin for each pair of values."""
    taps = [tap.flatten() for tap in _taps(blocks)]
    ones = torch.ones_like(taps[0], dtype=torch.long)
    pairs = ones.new_empty(_NUM_TAPS, _TAP, _NUM_TAPS, _TAP)
    for first in range(_NUM_TAPS):
        rows = taps[first] * _TAP
        for second in range(first, _NUM_TAPS):
            bins = ones.new_zeros(_TAP**2).index_add_(0, rows + taps[second], ones)
            bins = bins.view(_TAP, _TAP)
            pairs[first, :, second] = bins
            pairs[second, :, first] = bins.T
    return pairs.view(_NUM_TAPS * _TAP, -1)


def _count_by_products(blocks: Tensor) -> Tensor:
    """The same where atomic additions to so few bins would wait for each other."""
    rows = _NUM_TAPS * _TAP
    pairs = torch.zeros(rows, rows, dtype=torch.float64, device=blocks.device)
    for _, taps in stripes(blocks):
        values = torch.stack(taps, dim=-1).view(-1, _NUM_TAPS, 1).long()
        one_hots = pairs.new_zeros(len(values), _NUM_TAPS, _TAP, dtype=torch.float32)
        many_hot = one_hots.scatter_(2, values, 1).flatten(1)
        pairs += many_hot.T @ many_hot  # whole numbers below 2^24: exact
    return pairs


def moments(pairs: Tensor, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and (biased) variance of what all pixels look up, (C,), and the number of pixels.

    With ``N`` of :func:`count_pairs` and the table ``T``, the sum over all pixels is
    ``diag(N)^T T`` and that of the squares ``diag(T^T N T)``: both are differentiable, and no
    pixel is needed any more.
    """
    count = pairs.trace() / _NUM_TAPS
    rows = table.double()
    mean = pairs.diagonal() @ rows / count
    square = (rows * (pairs @ rows)).sum(dim=0) / count
    return mean.to(table), (square - mean**2).clamp(min=0).to(table), count


class _Embedding(torch.autograd.Function):
    """``relu(scale * look_up + shift)``, then a 1x1 convolution."""

    @staticmethod
    def forward(
        ctx: Any, blocks: Tensor, table: Tensor, scale: Tensor, shift: Tensor, weight: Tensor
    ) -> Tensor:
        ctx.save_for_backward(blocks, table, scale, shift, weight)
        batch, height, width, pixels = blocks.shape
        out = table.new_empty(batch, height - 2, width - 2, pixels, len(weight))
        for rows, taps in stripes(blocks):
            x = look_up(taps, table).mul_(scale).add_(shift).relu_()
            out[:, rows] = (x @ weight.T).view_as(out[:, rows])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        blocks, table, scale, shift, weight = ctx.saved_tensors
        of_table, of_scale, of_shift, of_weight = map(
            torch.zeros_like, (table, scale, shift, weight)
        )
        for rows, taps in stripes(blocks):
            y = look_up(taps, table)
            x = torch.addcmul(shift, y, scale).relu_()
            of_out = gradient[:, rows].reshape(-1, len(weight))
            of_weight += of_out.T @ x
            of_x = (of_out @ weight).mul_(x.sign_())  # 0 or 1
            of_shift += of_x.sum(dim=0)
            of_scale += y.mul_(of_x).sum(dim=0)
            of_table += _look_up_backward(taps, of_x.mul_(scale))
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
        (B, h, w, 64, D).
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
    pairs = count_pairs(blocks)
    if isinstance(norm, nn.SyncBatchNorm) and dist.is_available() and dist.is_initialized():
        # Each rank then has the whole gradient of its own loss, because the table is the same on
        # all; their average is that of the mean loss.
        dist.all_reduce(pairs, group=norm.process_group)
    mean, variance, count = moments(pairs, table)
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean.to(norm.running_mean), norm.momentum)
        unbiased = variance * (count / (count - 1))
        norm.running_var.lerp_(unbiased.to(norm.running_var), norm.momentum)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return scale, norm.bias - mean * scale
