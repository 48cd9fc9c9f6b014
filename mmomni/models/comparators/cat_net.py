"""CAT-Net v2.

Kwon et al., "Learning JPEG Compression Artifacts for Image Manipulation Detection and
Localization", IJCV 2022. Letters: ``B`` batch, ``H W`` image height and width, ``F`` the
64 frequencies of a block.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.models.backbones.hrnet import HRModule
from mmseg.models.backbones.resnet import BasicBlock
from mmseg.models.utils import ResLayer
from torch import Tensor, nn

from mmomni.models.backbones import FivePlanes
from mmomni.models.layers.frequency_perception import one_hot
from mmomni.models.values import NUM_VALUES
from mmomni.registry import MODELS

BLOCK = 8
FREQUENCIES = BLOCK**2


def exchange(channels: Sequence[int], num_blocks: int, norm_cfg: dict) -> HRModule:
    """HRNet's module with a branch for each of ``channels``, all of which it gives each other."""
    return HRModule(
        len(channels), BasicBlock, [num_blocks] * len(channels), list(channels), list(channels),
        norm_cfg=norm_cfg,
    )  # fmt: skip


class DCTStream(BaseModule):
    """From quantised coefficients to three levels at strides 8, 16, 32.

    ::

        |q| ─ one-hot (21) ─ 3x3, dilation 8 ─ 1x1 = X ─ each frequency of a block a channel ─┐
                                               X · QT ─ likewise ────────────────────── concat ┤
        ─ residual layer ─ modules of two branches ─ modules of three branches ◄───────────────┘

    Args:
        hidden_channels: Of the first convolution.
        embed_channels: Of ``X``.
        channels: Of the three levels.
        num_modules: Of two branches, and of three.
        num_blocks: Of the residual layer and of each branch.
        norm_cfg: Norm layer.
    """

    def __init__(
        self,
        hidden_channels: int = 64,
        embed_channels: int = 4,
        channels: Sequence[int] = (96, 192, 384),
        num_modules: Sequence[int] = (3, 2),
        num_blocks: int = 4,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        norm_cfg = norm_cfg or dict(type='BN', momentum=0.01)
        self.channels = tuple(channels)
        self.values_conv = ConvModule(
            NUM_VALUES, hidden_channels, 3, padding=8, dilation=8, norm_cfg=norm_cfg
        )
        self.embed_conv = ConvModule(hidden_channels, embed_channels, 1, norm_cfg=norm_cfg)
        whole = 2 * embed_channels * FREQUENCIES
        self.layer = ResLayer(BasicBlock, whole, channels[0], num_blocks, norm_cfg=norm_cfg)
        self.downsamplings = nn.ModuleList()
        self.stages = nn.ModuleList()
        for k, number in enumerate(num_modules, start=1):
            self.downsamplings.append(
                ConvModule(channels[k - 1], channels[k], 3, 2, padding=1, norm_cfg=norm_cfg)
            )
            modules = (exchange(channels[: k + 1], num_blocks, norm_cfg) for _ in range(number))
            self.stages.append(nn.Sequential(*modules))

    def forward(self, coefficients: Tensor, table: Tensor) -> list[Tensor]:
        """``|q|`` (B, H, W), 0..20, and steps (B, 8, 8) -> three maps at strides 8, 16, 32."""
        levels = [self.layer(self._by_frequency(coefficients, table))]
        for downsampling, stage in zip(self.downsamplings, self.stages, strict=True):
            levels = stage([*levels, downsampling(levels[-1])])
        return levels

    def _by_frequency(self, coefficients: Tensor, table: Tensor) -> Tensor:
        """``X`` and ``X · QT``, (B, 2 · embed_channels · F, H / 8, W / 8)."""
        values = one_hot(coefficients, table.dtype)
        x = F.pixel_unshuffle(self.embed_conv(self.values_conv(values)), BLOCK)
        weighed = x.unflatten(1, (-1, FREQUENCIES)) * table.flatten(1)[:, None, :, None, None]
        return torch.cat([x, weighed.flatten(1, 2)], dim=1)


@MODELS.register_module()
class CATNet(FivePlanes):
    """Two streams and their fusion; the head behind it is mmseg's ``FCNHead``, as of HRNet.

    ::

        RGB ─ HRNet ──────────── levels at strides 4, 8, 16, 32 ─┐
        |q|, QT ─ DCTStream ──── levels at strides    8, 16, 32 ─┴─ concat ─ 3x3 ─ exchange

    Args:
        backbone: Config of the RGB stream; HRNet-W48 in the paper.
        backbone_channels: Of its four levels.
        dct_stream: Arguments of :class:`DCTStream`.
        channels: Of the four fused levels.
        num_blocks: Of each branch of the fusion.
        norm_cfg: Norm layer of the fusion.
        mean: Of R, G and B.
        std: Likewise.
    """

    def __init__(
        self,
        backbone: dict,
        backbone_channels: Sequence[int] = (48, 96, 192, 384),
        dct_stream: dict | None = None,
        channels: Sequence[int] = (24, 48, 96, 192),
        num_blocks: int = 4,
        norm_cfg: dict | None = None,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(mean, std, init_cfg)
        norm_cfg = norm_cfg or dict(type='BN', momentum=0.01)
        self.backbone = MODELS.build(backbone)
        self.dct_stream = DCTStream(**(dct_stream or {}))
        added = (0, *self.dct_stream.channels)
        self.transitions = nn.ModuleList(
            ConvModule(rgb + dct, out, 3, padding=1, norm_cfg=norm_cfg)
            for rgb, dct, out in zip(backbone_channels, added, channels, strict=True)
        )
        self.fusion = exchange(channels, num_blocks, norm_cfg)

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """(B, 5, H, W) -> four maps (B, Ck, H / 2^(k+1), W / 2^(k+1)), k = 1..4."""
        first, *rgb = self.backbone(self.rgb(inputs))
        dct = self.dct_stream(*self.frequency(inputs))
        levels = [first, *(torch.cat(pair, dim=1) for pair in zip(rgb, dct, strict=True))]
        return self.fusion([conv(x) for conv, x in zip(self.transitions, levels, strict=True)])
