"""The frequency head up to its 8x8 convolution, without one-hot and without 64 channels.

Of what the paper draws at full resolution only small parts exist at a time.
"""

import logging
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn

from mmomni.jpeg.planes import MAX_STEP

from .batch_norms import at_least_single, batch_normalisation, normalisation
from .frequency_look_up import (
    embed,
    look_up,
    make_table,
    moments_of_look_ups,
    stripes,
    table_of_triples,
    to_blocks,
    to_rows,
)
from .memory import laid_out
from .normalised_product import moments, normalised_product
from .switch import enabled

FREQUENCY_FORMS = ('auto', 'plain', 'look_up')
"""What a head's ``form`` may be."""
_PIXELS = 64
"""Of a block."""
_warned_of: WeakSet[nn.Module] = WeakSet()


def looks_up(head: Any, warn: bool = True) -> bool:
    """Whether the form that looks up is taken.

    Where ``'auto'`` cannot take it that is told, once for each head, unless ``warn`` is false.

    Raises:
        ValueError: The head's form is ``'look_up'``, which cannot be taken.
    """
    if not enabled() or head.form == 'plain':
        return False
    obstacle = _obstacle(head)
    if obstacle is None:
        return True
    if head.form == 'look_up':
        raise ValueError(
            f"the frequency head cannot take form='look_up': {obstacle}; take form='auto' or "
            "'plain'"
        )
    if warn and head not in _warned_of:
        _warned_of.add(head)
        print_log(
            f'the frequency head takes its slower, plain form: {obstacle}', 'current',
            logging.WARNING,
        )  # fmt: skip
    return False


def _obstacle(head: Any) -> str | None:
    """Why the form that looks up cannot be taken."""
    for module in (head.values_conv, head.embed_conv):
        norm = module.norm
        if isinstance(norm, nn.Identity):
            continue
        if not isinstance(norm, _BatchNorm):
            return f'its norm is no batch norm, but {type(norm).__name__}'
        if not norm.affine or not norm.track_running_stats:
            return 'its batch norm is not affine or has no moving averages'
        if norm.training and norm.momentum is None:
            return 'its batch norm has cumulative averages (momentum None)'
    return None


def embed_and_convolve(head: Any, coefficients: Tensor, table: Tensor) -> Tensor:
    """All of the head up to its 8x8 convolution, norm and activation.

    ``|q|`` (B, H, W) and steps (B, 8, 8), as a
    :class:`~mmomni.models.layers.FrequencyPerceptionHead` takes them, -> (B, C, H / 8, W / 8).
    """
    blocks = to_blocks(coefficients)
    height, width = (size - 2 for size in blocks.shape[1:3])
    weight = _weight_of_blocks(head, table)
    norms = (head.values_conv.norm, head.embed_conv.norm)
    if torch.is_grad_enabled() or any(norm.training for norm in norms):
        x = _product(head, blocks, weight)
    else:
        x = torch.cat([torch.bmm(x, weight) for x in _embed_by_stripes(head, blocks)], dim=1)
    x = x.view(len(blocks), height, width, -1) + _of_coordinates(head, 8 * height, 8 * width)
    x = laid_out(x.permute(0, 3, 1, 2))
    if head.block_conv.with_norm:
        x = head.block_conv.norm(x)
    return head.block_conv.activate(x)


def _table(head: Any, blocks: Tensor) -> Tensor:
    """Of the first convolution and its norm, which may learn from these pixels."""
    first = head.values_conv
    kernel = at_least_single(first.conv.weight)
    if _learns(first.norm):
        mean, variance = moments_of_look_ups(blocks, make_table(kernel))
        count = blocks[:, 1:-1, 1:-1].numel()
        scale, shift = batch_normalisation(first.norm, mean, variance, count)
    else:
        scale, shift = normalisation(first.norm, first.conv.bias)
    scale, shift = (x.to(kernel).view(-1, 1, 1, 1) for x in (scale, shift))
    # The centre tap is never outside: what each of its rows has, each pixel has once.
    return make_table(kernel * scale + F.pad(shift, (1, 1, 1, 1)))


def _product(head: Any, blocks: Tensor, weight: Tensor) -> Tensor:
    """``X W`` of each block, (B, h w, out_channels), differentiable; norms may learn."""
    second = head.embed_conv
    with torch.autocast(blocks.device.type, enabled=False):
        weight_of_x = at_least_single(second.conv.weight.flatten(1))
        x = embed(to_rows(blocks), _table(head, blocks), weight_of_x)
        x = x.flatten(3).flatten(1, 2)
        if _learns(second.norm):
            count = x.numel() // len(second.conv.weight)
            mean_and_variance = moments(x, len(second.conv.weight))
            scale, shift = batch_normalisation(second.norm, *mean_and_variance, count)
        else:
            scale, shift = normalisation(second.norm, second.conv.bias)
        scale, shift = (y.to(x).repeat(_PIXELS) for y in (scale, shift))
    return normalised_product(x, scale, shift, weight)


def _embed_by_stripes(head: Any, blocks: Tensor) -> Iterator[Tensor]:
    """Stripes of ``X``, (B, blocks, 64 embed_channels), with the norms in the weights."""
    second = head.embed_conv
    table = table_of_triples(_table(head, blocks))
    scale, shift = normalisation(second.norm, second.conv.bias)
    weight = (second.conv.weight.flatten(1) * scale.view(-1, 1)).to(second.conv.weight)
    for (rows,) in stripes(to_rows(blocks)):
        x = look_up(rows, table).relu_().to(weight.dtype)
        x = F.linear(x, weight, shift.to(weight)).relu_()
        yield x.view(len(blocks), -1, _PIXELS * len(weight))


def _weight_of_blocks(head: Any, table: Tensor) -> Tensor:
    """(B, 64 embed_channels, out_channels): ``W (X E) + W' X = (W E + W') X``."""
    channels = head.table_embedding.embedding_dim
    weighed, as_is = head.block_conv.conv.weight.flatten(2)[:, : 2 * channels].chunk(2, dim=1)
    embedded = head.table_embedding(table.long().clamp(max=MAX_STEP)).flatten(1, 2)
    weight = weighed.permute(2, 1, 0) * embedded.unsqueeze(3) + as_is.permute(2, 1, 0)
    return weight.flatten(1, 2)


def _of_coordinates(head: Any, height: int, width: int) -> Tensor:
    """Their part of the 8x8 convolution, which is the same for all samples, (h, w, out)."""
    conv = head.block_conv.conv
    x, y, radius = head.coordinates(conv.weight.new_empty(1, 0, height, width))[0]
    of_x, of_y, of_radius = conv.weight[:, -3:].unbind(dim=1)
    # All rows have the same x, all columns the same y.
    columns = F.linear(x[0].view(-1, 8), of_x.sum(dim=1), conv.bias)
    rows = F.linear(y[:, 0].view(-1, 8), of_y.sum(dim=2))
    blocks = F.pixel_unshuffle(radius[None, None], 8)[0].movedim(0, 2)
    return F.linear(blocks, of_radius.flatten(1)) + rows[:, None] + columns


def _learns(norm: nn.Module) -> bool:
    """From the batch that passes."""
    return norm.training and not isinstance(norm, nn.Identity)
