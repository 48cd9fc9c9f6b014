from collections.abc import Iterable, Sequence

import torch
from mmcv.cnn import ConvModule
from mmseg.models.utils import resize
from torch import Tensor

from mmomni.models import fast


class ConcatConv(ConvModule):
    """1x1 convolution, norm, activation of maps that are resized and concatenated.

    Args:
        part_channels: Channels of the maps.
        out_channels: Channels of the output.
        align_corners: Of the interpolation.
    """

    def __init__(
        self,
        part_channels: Sequence[int],
        out_channels: int,
        align_corners: bool = False,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
    ) -> None:
        super().__init__(sum(part_channels), out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.part_channels = tuple(part_channels)
        self.align_corners = align_corners

    def forward(self, parts: Iterable[Tensor], size: Sequence[int]) -> Tensor:
        """Maps (B, Ci, hi, wi) -> (B, C, h, w) of the given size; those of one pixel spread out."""
        height, width = size
        if fast.enabled():
            return fast.convolve_parts(
                self, parts, self.part_channels, (height, width), self.align_corners
            )
        resized = [
            part.expand(-1, -1, height, width)
            if part.shape[2:] == (1, 1)
            else resize(part, (height, width), mode='bilinear', align_corners=self.align_corners)
            for part in parts
        ]
        return super().forward(torch.cat(resized, dim=1))
