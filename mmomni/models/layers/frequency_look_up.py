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

NUM_VALUES = 21
"""``|q|`` is told apart from 0 to 20; larger ones are read as 20."""
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
    values = coefficients.clamp(max=NUM_VALUES - 1).long()
    blocks = values.view(batch, height // 8, 8, width // 8, 8).transpose(2, 3).flatten(3)
    return F.pad(blocks, (0, 0, 1, 1, 1, 1), value=_OUTSIDE)


def to_triples(blocks: Tensor) -> Tensor:
    """Blocks -> codes (B, h + 2, w, 64): a value and those of the same place left and right."""
    width = blocks.shape[2] - 2
    left, middle, right = (blocks[:, :, v : v + width] for v in range(3))
    return (left * _TAP + middle) * _TAP + right


def make_table(kernel: Tensor) -> Tensor:
    """Kernel (C, 21, 3, 3) -> (R, C): for each tap, a row for each value and one of zeros."""
    rows = kernel.permute(2, 3, 1, 0).flatten(0, 1)
    return F.pad(rows, (0, 0, 0, 1)).flatten(0, 1)


def table_of_triples(table: Tensor) -> Tensor:
    """Table -> (3 * 22^3, C): for each row of the kernel, the sum of each triple's three rows."""
    left, middle, right = table.view(3, 3, _TAP, -1).unbind(dim=1)
    sums = left[:, :, None, None] + middle[:, None, :, None] + right[:, None, None, :]
    return sums.flatten(0, 3)


def stripes(bordered: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Rows of blocks that pass together, and of a map (B, h + 2, .., 64) what they see."""
    batch, height, width, pixels = bordered.shape
    limit = _CPU_PIXELS if bordered.device.type == 'cpu' else _ACCELERATOR_PIXELS
    step = max(1, limit // (batch * width * pixels))
    for top in range(0, height - 2, step):
        end = min(top + step, height - 2)
        yield slice(top, end), bordered[:, top : end + 2]


def _rows(bordered: Tensor) -> list[Tensor]:
    """What each of the kernel's rows sees from the blocks within."""
    height = bordered.shape[1] - 2
    return [bordered[:, u : u + height] for u in range(3)]


def look_up(triples: Tensor, table: Tensor) -> Tensor:
    """Sum of three rows of :func:`table_of_triples` for each pixel, (P, C)."""
    rows = [codes + u * _TAP**3 for u, codes in enumerate(_rows(triples))]
    return F.embedding_bag(torch.stack(rows, dim=-1).view(-1, 3), table, mode='sum')


Gradients = Iterable[tuple[Tensor, Tensor]]
"""The triples of each stripe and the gradient (P, C) of what they looked up."""


def _add_rows(gradients: Gradients, table: Tensor) -> Tensor:
    """Gradient of the table, (R, C): from that of the table of triples."""
    of_table, pixels = torch.zeros_like(table), 0
    of_triples = table.new_zeros(3, _TAP, _TAP, _TAP, table.shape[1])
    for triples, gradient in gradients:
        for of_row, codes in zip(of_triples.flatten(1, 3), _rows(triples), strict=True):
            of_row.index_add_(0, codes.flatten(), gradient)
        pixels += len(gradient)
        if pixels >= _LONG_SUM:
            of_table += _sum_of_triples(of_triples).view_as(table)
            of_triples.zero_()
            pixels = 0
    return of_table + _sum_of_triples(of_triples).view_as(table)


def _sum_of_triples(of_triples: Tensor) -> Tensor:
    """Of all triples (3, 22, 22, 22, C) with a value left, in the middle, right: (3, 3, 22, C)."""
    pairs = of_triples.sum(dim=3)
    return torch.stack(
        [pairs.sum(dim=2), pairs.sum(dim=1), of_triples.sum(dim=(1, 2))], dim=1
    )


def _multiply_one_hot(gradients: Gradients, table: Tensor) -> Tensor:
    """The same where atomic additions to so few rows would wait for each other."""
    of_table = torch.zeros_like(table)
    numbers = torch.arange(_TAP, device=table.device)
    for triples, gradient in gradients:
        rows = [codes.flatten() for codes in _rows(triples)]
        values = [codes // _TAP**k % _TAP for codes in rows for k in (2, 1, 0)]
        one_hots = ((tap[:, None] == numbers).to(gradient.dtype) for tap in values)
        of_table += torch.cat([one_hot.T @ gradient for one_hot in one_hots])
    return of_table


def _taps(blocks: Tensor) -> list[Tensor]:
    """What each of the nine taps sees from the blocks within."""
    width = blocks.shape[2] - 2
    return [row[:, :, v : v + width] for row in _rows(blocks) for v in range(3)]


def count_pairs(blocks: Tensor) -> Tensor:
    """How many pixels look up both of two rows of the table, (R, R) in double precision."""
    count = _count_by_bins if blocks.device.type == 'cpu' else _count_by_products
    return count(blocks).double()


def _count_by_bins(blocks: Tensor) -> Tensor:
    """Three taps at a time have a bin for each triple of values, in which are those of pairs."""
    taps = [tap.flatten() for tap in _taps(blocks)]
    ones = torch.ones_like(taps[0])
    pairs = ones.new_empty(_NUM_TAPS, _TAP, _NUM_TAPS, _TAP)
    for line in _LINES:
        first, second, third = (taps[i] for i in line)
        triples = (first * _TAP + second) * _TAP + third
        bins = ones.new_zeros(_TAP**3).index_add_(0, triples, ones).view(_TAP, _TAP, _TAP)
        for i, j in ((0, 1), (0, 2), (1, 2)):
            of_pair = bins.sum(dim=3 - i - j)
            pairs[line[i], :, line[j]] = of_pair
            pairs[line[j], :, line[i]] = of_pair.T
            pairs[line[i], :, line[i]] = of_pair.sum(dim=1).diag()
            pairs[line[j], :, line[j]] = of_pair.sum(dim=0).diag()
    return pairs.view(_NUM_TAPS * _TAP, -1)


def _count_by_products(blocks: Tensor) -> Tensor:
    """The same where atomic additions to so few bins would wait for each other."""
    rows = _NUM_TAPS * _TAP
    pairs = torch.zeros(rows, rows, dtype=torch.float64, device=blocks.device)
    for _, part in stripes(blocks):
        values = torch.stack(_taps(part), dim=-1).view(-1, _NUM_TAPS, 1)
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
    def forward(ctx: Any, triples: Tensor, table: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(triples, table, weight)
        batch, height, width, pixels = triples.shape
        out = table.new_empty(batch, height - 2, width, pixels, len(weight))
        rows_of_triples = table_of_triples(table)
        for rows, part in stripes(triples):
            x = look_up(part, rows_of_triples).relu_()
            out[:, rows] = (x @ weight.T).view_as(out[:, rows])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        triples, table, weight = ctx.saved_tensors
        of_weight = torch.zeros_like(weight)
        rows_of_triples = table_of_triples(table)
        add_up = _add_rows if table.device.type == 'cpu' else _multiply_one_hot

        def gradients() -> Gradients:
            for rows, part in stripes(triples):
                x = look_up(part, rows_of_triples).relu_()
                of_out = gradient[:, rows].reshape(-1, len(weight))
                of_weight.addmm_(of_out.T, x)
                yield part, (of_out @ weight).mul_(x.sign_())  # 0 or 1

        with torch.autocast(table.device.type, enabled=False):
            return None, add_up(gradients(), table), of_weight


def embed(triples: Tensor, table: Tensor, weight: Tensor) -> Tensor:
    """Look up, ReLU, 1x1 convolution; differentiable.

    Args:
        triples: Of :func:`to_triples`.
        table: Of :func:`make_table`.
        weight: (D, C).

    Returns:
        (B, h, w, 64, D).
    """
    return _Embedding.apply(triples, table, weight)
