import logging
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn

from mmomni.models.pretrained import load_pretrained, pretrained_part

from .coordinates import Coordinates
from .frequency_look_up import (
    NUM_VALUES,
    embed,
    look_up,
    make_table,
    moments_of_look_ups,
    stripes,
    table_of_triples,
    to_blocks,
    to_rows,
)
from .mb_conv import MBConv
from .normalised_product import moments, normalised_product
from .norms import batch_normalisation, normalisation, single

_PIXELS = 64
"""Of a block."""
MAX_STEP = 63
"""Steps above are read as 63: DTD's table of 64 entries crashes there."""


class FrequencyPerceptionHead(BaseModule):
    """FPH of Document Tampering Detector: features from quantised DCT coefficients.

    ::

        |q| ─ one-hot (21) ─ 3x3, dilation 8 ─ 1x1 = X ─┬─ x embedding of QT ─┐
                                                        └─────────────────────┴ concat + coordinates
        ─ 8x8, stride 8 ─ three MBConv blocks = F_freq (stride 8)

    Args:
        hidden_channels: Channels of the first convolution.
        embed_channels: Channels of ``X`` and of the table's embedding.
        out_channels: Channels of ``F_freq``.
        num_blocks: MBConv blocks.
        norm_cfg: Norm layer; DTD uses batch norm with momentum 0.01.
        init_cfg: mmengine's; ``dict(type='Pretrained', checkpoint=..., prefix='backbone.fph')`` to
            start from one that was trained first (:class:`mmomni.FrequencyPlanes`).
    """

    def __init__(
        self,
        hidden_channels: int = 64,
        embed_channels: int = 16,
        out_channels: int = 256,
        num_blocks: int = 3,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        norm_cfg = norm_cfg or dict(type='BN', momentum=0.01)
        self.out_channels = out_channels
        self._told = False
        self.values_conv = ConvModule(
            NUM_VALUES, hidden_channels, 3, padding=8, dilation=8, norm_cfg=norm_cfg
        )
        self.embed_conv = ConvModule(hidden_channels, embed_channels, 1, norm_cfg=norm_cfg)
        self.table_embedding = nn.Embedding(MAX_STEP + 1, embed_channels)
        self.coordinates = Coordinates()
        self.block_conv = ConvModule(
            2 * embed_channels + 3, out_channels, 8, stride=8, norm_cfg=norm_cfg
        )
        self.blocks = nn.Sequential(*(MBConv(out_channels, norm_cfg) for _ in range(num_blocks)))

    def init_weights(self) -> None:
        """Draw the weights, or load them strictly."""
        pretrained = pretrained_part(self.init_cfg)
        if pretrained is None:
            super().init_weights()
        else:
            load_pretrained(self, pretrained)
            self._is_init = True

    def forward(self, coefficients: Tensor, table: Tensor) -> Tensor:
        """Source: paper, section 3.1 (architecture of DTD).

        Args:
            coefficients: ``|q|`` clipped to 0..20, (B, H, W), H and W multiples of 8.
            table: Quantisation steps, (B, 8, 8).

        Returns:
            ``F_freq``, (B, out_channels, H / 8, W / 8).
        """
        obstacle = self._obstacle()
        if obstacle is None:
            return self.blocks(self._by_look_up(coefficients, table))
        if not self._told:
            self._told = True
            print_log(
                f'the frequency head takes its slower, plain form: {obstacle}', 'current',
                logging.WARNING,
            )  # fmt: skip
        return self.blocks(self._plainly(coefficients, table))

    def _obstacle(self) -> str | None:
        """Why the form that looks up cannot be taken."""
        if torch.jit.is_tracing():
            return 'a trace would keep the number of stripes that an image passes in'
        for module in (self.values_conv, self.embed_conv):
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

    def _plainly(self, coefficients: Tensor, table: Tensor) -> Tensor:
        """As the paper draws it, up to the convolution of stride 8."""
        one_hot = F.one_hot(coefficients.long().clamp(max=NUM_VALUES - 1), NUM_VALUES)
        # Contiguous: oneDNN's bfloat16 gradient of a dilated conv is NaN for channels-last input.
        one_hot = one_hot.permute(0, 3, 1, 2).to(self.table_embedding.weight.dtype).contiguous()
        x = self.embed_conv(self.values_conv(one_hot))
        x = torch.cat([self._weigh_by_table(x, table), x], dim=1)
        return self.block_conv(self.coordinates(x))

    def _by_look_up(self, coefficients: Tensor, table: Tensor) -> Tensor:
        """The same, of which only small parts exist at full resolution at a time."""
        blocks = to_blocks(coefficients)
        batch, height, width = (
            size - rim for size, rim in zip(blocks.shape[:3], (0, 2, 2), strict=True)
        )
        weight = self._weight_of_blocks(table)
        norms = (self.values_conv.norm, self.embed_conv.norm)
        if torch.is_grad_enabled() or any(norm.training for norm in norms):
            x = self._product(blocks, weight)
        else:
            x = torch.cat([torch.bmm(x, weight) for x in self._embed_by_stripes(blocks)], dim=1)
        x = x.view(batch, height, width, -1) + self._of_coordinates(8 * height, 8 * width)
        x = x.permute(0, 3, 1, 2)
        if self.block_conv.with_norm:
            x = self.block_conv.norm(x)
        return self.block_conv.activate(x)

    def _table(self, blocks: Tensor) -> Tensor:
        """Of the first convolution and its norm, which may learn from these pixels."""
        first = self.values_conv
        kernel = single(first.conv.weight)
        if _learns(first.norm):
            mean, variance = moments_of_look_ups(blocks, make_table(kernel))
            count = blocks[:, 1:-1, 1:-1].numel()
            scale, shift = batch_normalisation(first.norm, mean, variance, count)
        else:
            scale, shift = normalisation(first.norm, first.conv.bias)
        scale, shift = (x.to(kernel).view(-1, 1, 1, 1) for x in (scale, shift))
        # The centre tap is never outside: what each of its rows has, each pixel has once.
        return make_table(kernel * scale + F.pad(shift, (1, 1, 1, 1)))

    def _product(self, blocks: Tensor, weight: Tensor) -> Tensor:
        """``X W`` of each block, (B, h w, out_channels), differentiable; norms may learn."""
        second = self.embed_conv
        with torch.autocast(blocks.device.type, enabled=False):
            weight_of_x = single(second.conv.weight.flatten(1))
            x = embed(to_rows(blocks), self._table(blocks), weight_of_x)
            x = x.flatten(3).flatten(1, 2)
            if _learns(second.norm):
                count = x.numel() // len(second.conv.weight)
                mean_and_variance = moments(x, len(second.conv.weight))
                scale, shift = batch_normalisation(second.norm, *mean_and_variance, count)
            else:
                scale, shift = normalisation(second.norm, second.conv.bias)
            scale, shift = (y.to(x).repeat(_PIXELS) for y in (scale, shift))
        return normalised_product(x, scale, shift, weight)

    def _embed_by_stripes(self, blocks: Tensor) -> Iterator[Tensor]:
        """Stripes of ``X``, (B, blocks, 64 embed_channels), with the norms in the weights."""
        second = self.embed_conv
        table = table_of_triples(self._table(blocks))
        scale, shift = normalisation(second.norm, second.conv.bias)
        weight = (second.conv.weight.flatten(1) * scale.view(-1, 1)).to(second.conv.weight)
        for (rows,) in stripes(to_rows(blocks)):
            x = look_up(rows, table).relu_().to(weight.dtype)
            x = F.linear(x, weight, shift.to(weight)).relu_()
            yield x.view(len(blocks), -1, _PIXELS * len(weight))

    def _weight_of_blocks(self, table: Tensor) -> Tensor:
        """(B, 64 embed_channels, out_channels): ``W (X E) + W' X = (W E + W') X``."""
        channels = self.table_embedding.embedding_dim
        weighed, as_is = self.block_conv.conv.weight.flatten(2)[:, : 2 * channels].chunk(2, dim=1)
        embedded = self.table_embedding(table.long().clamp(max=MAX_STEP)).flatten(1, 2)
        weight = weighed.permute(2, 1, 0) * embedded.unsqueeze(3) + as_is.permute(2, 1, 0)
        return weight.flatten(1, 2)

    def _of_coordinates(self, height: int, width: int) -> Tensor:
        """Their part of the 8x8 convolution, which is the same for all samples, (h, w, out)."""
        conv = self.block_conv.conv
        x, y, radius = self.coordinates(conv.weight.new_empty(1, 0, height, width))[0]
        of_x, of_y, of_radius = conv.weight[:, -3:].unbind(dim=1)
        # All rows have the same x, all columns the same y.
        columns = F.linear(x[0].view(-1, 8), of_x.sum(dim=1), conv.bias)
        rows = F.linear(y[:, 0].view(-1, 8), of_y.sum(dim=2))
        blocks = F.pixel_unshuffle(radius[None], 8).movedim(0, 2)
        return F.linear(blocks, of_radius.flatten(1)) + rows[:, None] + columns

    def _weigh_by_table(self, x: Tensor, table: Tensor) -> Tensor:
        """Multiply each frequency's embedded step onto that frequency's place in every block."""
        height, width = x.shape[2:]
        embedded = self.table_embedding(table.long().clamp(max=MAX_STEP)).permute(0, 3, 1, 2)
        return x * embedded.repeat(1, 1, height // 8, width // 8)


def _learns(norm: nn.Module) -> bool:
    """From the batch that passes."""
    return norm.training and not isinstance(norm, nn.Identity)
