from typing import Literal

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmomni.jpeg.planes import MAX_STEP
from mmomni.models import fast
from mmomni.models.pretrained import draw_or_load
from mmomni.models.values import NUM_VALUES

from .coordinates import Coordinates
from .mb_conv import MBConv


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
        form: How the first two convolutions are computed, with equal results: ``'plain'`` as
            drawn, with one-hot; ``'look_up'`` by tables; ``'auto'`` by tables wherever they can be
            taken, on any device (batch norms, no trace), else plainly and with a warning. Within
            :func:`mmomni.models.fast.disabled` it is ``'plain'``.

    Raises:
        ValueError: There is no such form; or ``'look_up'`` with what has no tables, in a forward
            pass, too.
    """

    def __init__(
        self,
        hidden_channels: int = 64,
        embed_channels: int = 16,
        out_channels: int = 256,
        num_blocks: int = 3,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
        form: Literal['auto', 'plain', 'look_up'] = 'auto',
    ) -> None:
        super().__init__(init_cfg)
        if form not in fast.FREQUENCY_FORMS:
            raise ValueError(f'expected form to be one of {fast.FREQUENCY_FORMS}, got {form!r}')
        self.form = form
        norm_cfg = norm_cfg or dict(type='BN', momentum=0.01)
        self.out_channels = out_channels
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
        fast.looks_up(self, warn=False)  # refuse norms that the form cannot have

    def init_weights(self) -> None:
        """Draw the weights, or load them strictly."""
        draw_or_load(self, super().init_weights)

    def forward(self, coefficients: Tensor, table: Tensor) -> Tensor:
        """Source: paper, section 3.1 (architecture of DTD).

        Args:
            coefficients: ``|q|`` clipped to 0..20, (B, H, W), H and W multiples of 8.
            table: Quantisation steps, (B, 8, 8).

        Returns:
            ``F_freq``, (B, out_channels, H / 8, W / 8).
        """
        if fast.looks_up(self):
            return self.blocks(fast.embed_and_convolve(self, coefficients, table))
        values = one_hot(coefficients, self.table_embedding.weight.dtype)
        x = self.embed_conv(self.values_conv(values))
        x = self.coordinates(torch.cat([self._weigh_by_table(x, table), x], dim=1))
        return self.blocks(fast.laid_out(self.block_conv(x)))

    def _weigh_by_table(self, x: Tensor, table: Tensor) -> Tensor:
        """Multiply each frequency's embedded step onto that frequency's place in every block."""
        height, width = x.shape[2:]
        embedded = self.table_embedding(table.long().clamp(max=MAX_STEP)).permute(0, 3, 1, 2)
        return x * embedded.repeat(1, 1, height // 8, width // 8)


def one_hot(coefficients: Tensor, dtype: torch.dtype) -> Tensor:
    """``|q|`` (B, H, W), clipped to 0..20, -> (B, 21, H, W), 1 in the plane of its value."""
    values = F.one_hot(coefficients.long().clamp(max=NUM_VALUES - 1), NUM_VALUES)
    # Contiguous: oneDNN's bfloat16 gradient of a dilated conv is NaN for channels-last input.
    return values.permute(0, 3, 1, 2).to(dtype).contiguous()
