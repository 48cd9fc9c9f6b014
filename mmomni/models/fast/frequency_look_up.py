"""The first two convolutions on ``|q|`` without their one-hot and without their 64 channels.

A 3x3 convolution on a one-hot adds up nine columns of its kernel. With dilation 8, its taps are
the same place in the 3x3 blocks around: so pixels are kept block by block, and the kernel is a
table of rows to look up. Three values side by side are a triple, with a table of its own: three
look-ups instead of nine. Stripes of blocks pass one after the other; for a gradient they are
computed anew instead of being kept. A batch norm learns from how often rows meet: see
`moments_of_look_ups`.

Letters: ``B`` batch, ``h w`` height and width in blocks of 8 x 8, ``C`` channels of the first
convolution, ``D`` of the second, ``P`` pixels of a stripe, ``R`` rows of the table.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmomni.models.values import NUM_VALUES

from .normalised_product import relu_gradient
from .switch import on_cpu

_OUTSIDE = NUM_VALUES
"""Value of pixels outside the image, for which every tap has a row of zeros."""
_TAP = NUM_VALUES + 1
_NUM_TAPS = 9
_LINES = [(t, t + 1, t + 2) for t in (0, 3, 6)] + [
    (first, 3 + (first + slope) % 3, 6 + (first + 2 * slope) % 3)
    for slope in range(3)
    for first in range(3)
]
"""Of the affine plane that the nine taps are: each two taps have one of its 12 lines in common."""
_CPU_PIXELS = 2**13
"""Of a stripe: 2 MB of 64 channels stay in a core's cache. Accelerators want larger stripes."""
_ACCELERATOR_PIXELS = 2**17
_LONG_SUM = 2**16
"""Pixels after which a sum, one addition after the other, has lost digits."""


def to_blocks(coefficients: Tensor) -> Tensor:
    """``|q|`` (B, H, W) -> values (B, h + 2, w + 2, 64), with a border of blocks outside."""
    batch, height, width = coefficients.shape
    values = coefficients.clamp(max=NUM_VALUES - 1).int()
    blocks = values.view(batch, height // 8, 8, width // 8, 8).transpose(2, 3).flatten(3)
    return F.pad(blocks, (0, 0, 1, 1, 1, 1), value=_OUTSIDE)


def to_triples(left: Tensor, middle: Tensor, right: Tensor) -> Tensor:
    """Three values (any shape, below 22) -> one number below 22^3, ``(l 22 + m) 22 + r``."""
    return torch.add(right, middle, alpha=_TAP).add_(left, alpha=_TAP**2)


def to_rows(blocks: Tensor) -> Tensor:
    """Blocks -> the rows of :func:`table_of_triples` that each pixel looks up, (B, h, w, 64, 3).

    One for each row of the kernel; in 32 bits, because training keeps them for the gradient.
    """
    height, width = (size - 2 for size in blocks.shape[1:3])
    triples = to_triples(*(blocks[:, :, v : v + width] for v in range(3)))
    return torch.stack([triples[:, u : u + height] + u * _TAP**3 for u in range(3)], dim=-1)


def make_table(kernel: Tensor) -> Tensor:
    """Kernel (C, 21, 3, 3) -> (R, C): for each tap, a row for each value and one of zeros."""
    rows = kernel.permute(2, 3, 1, 0).flatten(0, 1)
    return F.pad(rows, (0, 0, 0, 1)).flatten(0, 1)


def table_of_triples(table: Tensor) -> Tensor:
    """Table -> (3 * 22^3, C): for each row of the kernel, the sum of each triple's three rows."""
    left, middle, right = table.view(3, 3, _TAP, -1).unbind(dim=1)
    sums = left[:, :, None, None] + middle[:, None, :, None] + right[:, None, None, :]
    return sums.flatten(0, 3)


def stripes(*maps: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same rows of blocks of all maps (B, h, w, 64, ...), as many as pass together.

    In a trace all do, which would keep their number.
    """
    if torch.jit.is_tracing():
        return iter([maps])
    batch, _, width, pixels = maps[0].shape[:4]
    limit = _CPU_PIXELS if on_cpu(maps[0]) else _ACCELERATOR_PIXELS
    step = max(1, limit // (batch * width * pixels))
    return zip(*(x.split(step, dim=1) for x in maps), strict=True)


def look_up(rows: Tensor, table: Tensor) -> Tensor:
    """Sum of three rows of :func:`table_of_triples` for each pixel, (P, C)."""
    if torch.jit.is_tracing():  # ONNX has no bags
        first, second, third = rows.reshape(-1, 3).unbind(dim=1)
        return table[first] + table[second] + table[third]
    return F.embedding_bag(rows.reshape(-1, 3), table, mode='sum')


Gradients = Iterable[tuple[Tensor, Tensor]]
"""The rows (P, 3) of each stripe and the gradient (P, C) of what they looked up."""


def _add_rows(gradients: Gradients, table: Tensor) -> Tensor:
    """Gradient of the table, (R, C): from that of the table of triples."""
    of_table, pixels = torch.zeros_like(table), 0
    of_triples = table.new_zeros(3 * _TAP**3, table.shape[1])
    for rows, gradient in gradients:
        for row in rows.long().unbind(dim=1):  # with numbers of 32 bits five times as slow
            of_triples.index_add_(0, row, gradient)
        pixels += len(gradient)
        if pixels >= _LONG_SUM:
            of_table += _sum_of_triples(of_triples)
            of_triples.zero_()
            pixels = 0
    return of_table + _sum_of_triples(of_triples) if pixels else of_table


def _sum_of_triples(of_triples: Tensor) -> Tensor:
    """Of all triples (3 * 22^3, C) with a value left, in the middle, right: (R, C)."""
    by_value = of_triples.view(3, _TAP, _TAP, _TAP, -1)
    pairs = by_value.sum(dim=3)
    sums = [pairs.sum(dim=2), pairs.sum(dim=1), by_value.sum(dim=(1, 2))]
    return torch.stack(sums, dim=1).flatten(0, 2)


def _multiply_one_hot(gradients: Gradients, table: Tensor) -> Tensor:
    """The same where atomic additions to so few rows would wait for each other."""
    of_table = torch.zeros_like(table)
    numbers = torch.arange(_TAP, device=table.device)
    for rows, gradient in gradients:
        values = [row // _TAP**k % _TAP for row in rows.unbind(dim=1) for k in (2, 1, 0)]
        one_hots = ((tap[:, None] == numbers).to(gradient.dtype) for tap in values)
        of_table += torch.cat([one_hot.T @ gradient for one_hot in one_hots])
    return of_table


def _taps(blocks: Tensor) -> list[Tensor]:
    """What each of the nine taps sees from the blocks within, (B, h, w, 64)."""
    height, width = (size - 2 for size in blocks.shape[1:3])
    return [blocks[:, u : u + height, v : v + width] for u in range(3) for v in range(3)]


def count_pairs(blocks: Tensor) -> Tensor:
    """How many pixels look up both of two rows of the table, (R, R) in double precision."""
    count = _count_by_bins if on_cpu(blocks) else _count_by_products
    return count(blocks).double()


def _count_by_bins(blocks: Tensor) -> Tensor:
    """Three taps at a time have a bin for each triple of values, in which are those of pairs."""
    taps, lines = [tap.flatten() for tap in _taps(blocks)], torch.tensor(_LINES)
    triples = (to_triples(*(taps[i] for i in line)).long() for line in _LINES)
    ones = torch.ones_like(taps[0], dtype=torch.long)
    bins = torch.stack([ones.new_zeros(_TAP**3).scatter_add_(0, x, ones) for x in triples])
    bins = bins.view(-1, _TAP, _TAP, _TAP)
    pairs = bins.new_empty(_NUM_TAPS, _TAP, _NUM_TAPS, _TAP)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        of_pairs = bins.sum(dim=4 - i - j)
        pairs[lines[:, i], :, lines[:, j]] = of_pairs
        pairs[lines[:, j], :, lines[:, i]] = of_pairs.transpose(1, 2)
        pairs[lines[:, i], :, lines[:, i]] = of_pairs.sum(dim=2).diag_embed()
        pairs[lines[:, j], :, lines[:, j]] = of_pairs.sum(dim=1).diag_embed()
    return pairs.view(_NUM_TAPS * _TAP, -1)


def _count_by_products(blocks: Tensor) -> Tensor:
    """The same where atomic additions to so few bins would wait for each other."""
    rows = _NUM_TAPS * _TAP
    pairs = torch.zeros(rows, rows, dtype=torch.float64, device=blocks.device)
    for parts in stripes(*_taps(blocks)):
        values = torch.stack(parts, dim=-1).view(-1, _NUM_TAPS, 1).long()
        one_hots = pairs.new_zeros(len(values), _NUM_TAPS, _TAP, dtype=torch.float32)
        many_hot = one_hots.scatter_(2, values, 1).flatten(1)
        pairs += many_hot.T @ many_hot  # whole numbers below 2^24: exact
    return pairs


def moments_of_look_ups(blocks: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of what all pixels look up, (C,), in double precision.

    With ``N`` of :func:`count_pairs` and the table ``T``, the sum over all pixels is
    ``diag(N)^T T`` and that of the squares ``diag(T^T N T)``: both are differentiable, and no
    pixel is needed any more.
    """
    pairs = count_pairs(blocks)
    count = pairs.trace() / _NUM_TAPS
    rows = table.double()
    mean = pairs.diagonal() @ rows / count
    square = (rows * (pairs @ rows)).sum(dim=0) / count
    return mean, (square - mean**2).clamp(min=0)


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, table: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(rows, table, weight)
        out = table.new_empty(*rows.shape[:4], len(weight))
        rows_of_triples = table_of_triples(table)
        for part, of_part in stripes(rows, out):
            x = look_up(part, rows_of_triples).relu_()
            of_part.copy_((x @ weight.T).view_as(of_part))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        rows, table, weight = ctx.saved_tensors
        of_weight = torch.zeros_like(weight)
        rows_of_triples = table_of_triples(table)
        add_up = _add_rows if on_cpu(table) else _multiply_one_hot

        def gradients() -> Gradients:
            for part, of_part in stripes(rows, gradient):
                # Products of each block: on a CPU, threads find their pixels in their own cache.
                of_out = of_part.flatten(0, 2)
                x = look_up(part, rows_of_triples).relu_().view(len(of_out), -1, weight.shape[1])
                of_weight.add_(torch.bmm(of_out.transpose(1, 2), x).sum(dim=0))
                of_x = torch.bmm(of_out, weight.expand(len(of_out), -1, -1))
                yield part.reshape(-1, 3), relu_gradient(of_x, x).flatten(0, 1)

        with torch.autocast(table.device.type, enabled=False):
            return None, add_up(gradients(), table), of_weight


def embed(rows: Tensor, table: Tensor, weight: Tensor) -> Tensor:
    """Look up, ReLU, 1x1 convolution with ``weight`` (D, C) -> (B, h, w, 64, D); differentiable.

    ``rows`` are of :func:`to_rows`, ``table`` is of :func:`make_table`.
    """
    return _Embedding.apply(rows, table, weight)
