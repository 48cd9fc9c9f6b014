"""Document Tampering Detector.

Qu et al., "Towards Robust Tampered Text Detection in Document Image", CVPR 2023. Letters:
``B`` batch, ``Ck`` channels of level k at stride 2^(k+1), ``h w`` height and width at stride 4.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmomni.models.backbones import ConvNeXt, EfficientNetLite, FivePlanes
from mmomni.models.backbones.convnext import LayerNorm2d
from mmomni.models.layers import Coordinates, FrequencyPerceptionHead, ScSE
from mmomni.models.pretrained import load_pretrained, pretrained_part
from mmomni.models.stagewise import Stagewise, build_stagewise
from mmomni.registry import MODELS

from .swin_v2 import SwinStageV2

VISIBLE = 6
"""Planes that the visual perception head sees: RGB, x, y and radius."""


def first_two_stages(backbone: dict) -> Stagewise:
    """A backbone that runs stage by stage, without its last two stages."""
    adapted = build_stagewise(backbone, VISIBLE)
    body = adapted.body
    if not isinstance(body, ConvNeXt | EfficientNetLite):
        raise TypeError(
            'expected a backbone of type mmomni.ConvNeXt or mmomni.EfficientNetLite, got '
            f'{type(body).__name__}'
        )
    del body.stages[2:]
    if isinstance(body, ConvNeXt):
        del body.downsample_layers[2:], body.norm2, body.norm3
    return adapted


def own_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of mmpretrain's ``SwinTransformerV2`` -> those of its last three stages by our names.

    What precedes them, the classifier and tables that are computed are left out.
    """
    kept = {}
    for name, tensor in weights.items():
        match = re.fullmatch(r'stages\.([1-3])\.(.+)', name)
        if match is None or '.relative_' in name or name.startswith('stages.1.downsample.'):
            continue
        inner = match[2].replace('downsample.norm.', 'downsample.last_norm.')
        kept[f'{int(match[1]) - 1}.{inner}'] = tensor
    return kept


@MODELS.register_module()
class DTDEncoder(FivePlanes):
    """Visual and frequency perception heads, fused, and three stages of Swin behind them.

    ::

        RGB + coordinates ─ VPH: two stages ── F1, F_rgb ─┐
        |q|, QT ─ FPH ────────────────────────── F_freq ──┴ scSE, 3x3 = F2 ─ Swin ─ merge = F3
                                                                      ─ Swin ─ merge ─ Swin = F4

    Args:
        backbone: Config of what the visual perception head are the first two stages of.
        frequency_head: Arguments of :class:`FrequencyPerceptionHead`.
        depths: Blocks of the three Swin stages.
        channels: Of ``F3`` and ``F4``.
        window_size: Of the Swin blocks.
        channels_per_head: Of their attention.
        drop_path_rate: Of them.
        swin_init_cfg: ``dict(type='Pretrained', checkpoint=...)`` for the weights of mmpretrain's
            ``SwinTransformerV2``, whose last three stages are loaded, strictly.
        norm_cfg: Norm layer of the fusion.
        mean: Of R, G and B.
        std: Likewise.
    """

    def __init__(
        self,
        backbone: dict,
        frequency_head: dict | None = None,
        depths: Sequence[int] = (2, 18, 2),
        channels: Sequence[int] = (384, 768),
        window_size: int = 8,
        channels_per_head: int = 32,
        drop_path_rate: float = 0.0,
        swin_init_cfg: dict | None = None,
        norm_cfg: dict | None = None,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(mean, std, init_cfg)
        self.pretrained = pretrained_part(backbone.get('init_cfg')) and backbone
        self.swin_init_cfg = swin_init_cfg
        self.coordinates = Coordinates()
        self.backbone = first_two_stages({**backbone, 'init_cfg': None})
        c2 = self.backbone.channels[1]
        self.fph = FrequencyPerceptionHead(**(frequency_head or {}))
        whole = c2 + self.fph.out_channels
        fusing = ConvModule(whole, c2, 3, padding=1, norm_cfg=norm_cfg or dict(type='BN'))
        self.attention = nn.Sequential(ScSE(whole), fusing)
        widths = (c2, *channels)
        self.swin = nn.ModuleList(
            SwinStageV2(
                width, depth, channels_per_head, window_size, drop_path_rate,
                widths[k - 1] if k else None,
            )
            for k, (width, depth) in enumerate(zip(widths, depths, strict=True))
        )  # fmt: skip
        self.norms = nn.ModuleList(LayerNorm2d(width, eps=1e-6) for width in channels)

    def init_weights(self) -> None:
        """Draw the weights, then load those of the two pretrained networks that it has parts of."""
        super().init_weights()
        if self.pretrained is not None:
            whole = build_stagewise(self.pretrained, VISIBLE)
            whole.init_weights()
            weights, own = whole.state_dict(), self.backbone.state_dict()
            self.backbone.load_state_dict({name: weights[name] for name in own})
        if self.swin_init_cfg is not None:
            load_pretrained(self.swin, self.swin_init_cfg, own_names)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, 5, H, W) -> four maps (B, Ck, H / 2^(k+1), W / 2^(k+1)), k = 1..4."""
        x, f1 = self.backbone.stage(0, self.coordinates(self.rgb(inputs)))
        f_rgb = self.backbone.stage(1, x)[1]
        f2 = self.attention(torch.cat([f_rgb, self.fph(*self.frequency(inputs))], dim=1))
        stages: Any = self.swin
        f3 = stages[1].merge(stages[0](f2))
        f4 = stages[2](stages[2].merge(stages[1](f3)))
        return f1, f2, self.norms[0](f3), self.norms[1](f4)


class TopDown(nn.Module):
    """Every level is given the next coarser one, from the coarsest on.

    Args:
        channels: Of the levels, the finest first.
        norm_cfg: Norm layer.
        mode: Of interpolation.
    """

    def __init__(self, channels: Sequence[int], norm_cfg: dict | None, mode: str) -> None:
        super().__init__()
        self.options: dict[str, Any] = dict(mode=mode)
        if mode != 'nearest':
            self.options['align_corners'] = True
        pairs = list(pairwise(channels))
        self.own = nn.ModuleList(ConvModule(c, c, 1, norm_cfg=norm_cfg) for c, _ in pairs)
        self.coarser = nn.ModuleList(ConvModule(d, c, 1, norm_cfg=norm_cfg) for c, d in pairs)
        self.out = nn.ModuleList(
            ConvModule(c, c, 3, padding=1, norm_cfg=norm_cfg) for c, _ in pairs
        )

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Maps, the finest first -> the same; the last stays as it is."""
        levels = list(levels)
        for k in range(len(levels) - 2, -1, -1):
            coarser = self.coarser[k](levels[k + 1])
            coarser = F.interpolate(coarser, levels[k].shape[2:], **self.options)
            levels[k] = self.out[k](coarser + self.own[k](levels[k]))
        return levels


class Enlarging(nn.Sequential):
    """Twice the size, what is of that size beside it, two convolutions."""

    def __init__(self, in_channels: int, channels: int, norm_cfg: dict | None) -> None:
        super().__init__(
            ConvModule(in_channels, channels, 3, padding=1, norm_cfg=norm_cfg),
            ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg),
        )

    def forward(self, x: Tensor, *beside: Tensor) -> Tensor:
        """(B, C, h, w) and maps at twice the size -> (B, C', 2 h, 2 w)."""
        x = F.interpolate(x, scale_factor=2, mode='nearest')
        return super().forward(torch.cat([x, *beside], dim=1))


@MODELS.register_module()
class DTDHead(BaseDecodeHead):
    """The multi-view iterative decoder: levels are joined, enlarged, joined again, ...

    ::

        F4 F3 F2 F1 ─ top-down ─ X0 X1 X2 (strides 16, 8, 4) ─ top-down ─ Y0 Y1 (8, 4)
                                                     ─ top-down ─ Z (4) ─ (2) ─ conv = logits

    Args:
        in_channels: Channels of the four levels, strides 4 to 32.
        channels: Of the last map, at stride 2.
        **kwargs: Those of mmseg's ``BaseDecodeHead``.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (96, 192, 384, 768),
        channels: int = 64,
        num_classes: int = 2,
        in_index: Sequence[int] = (0, 1, 2, 3),
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault('out_channels', num_classes)
        kwargs.setdefault('dropout_ratio', 0.0)
        kwargs.setdefault('init_cfg', None)
        super().__init__(
            in_channels, channels, num_classes=num_classes, in_index=in_index,
            input_transform='multiple_select', **kwargs,
        )  # fmt: skip
        norm_cfg = self.norm_cfg
        c1, c2, c3, c4 = self.in_channels
        self.levels = TopDown([c1, c2, c3, c4], norm_cfg, 'nearest')
        self.x = nn.ModuleList(
            Enlarging(below + c, c, norm_cfg) for below, c in ((c4, c3), (c3, c2), (c2, c1))
        )
        self.x_levels = TopDown([c1, c2, c3], norm_cfg, 'bilinear')
        self.y = nn.ModuleList(
            Enlarging(below + 2 * c, c, norm_cfg) for below, c in ((c3, c2), (c2, c1))
        )
        self.y_levels = TopDown([c1, c2], norm_cfg, 'bilinear')
        self.z = Enlarging(c2 + 3 * c1, c1, norm_cfg)
        self.last = Enlarging(c1, channels, norm_cfg)
        self.conv_seg = nn.Conv2d(channels, self.out_channels, 3, padding=1)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Four levels -> logits (B, 2, 2 h, 2 w)."""
        f1, f2, f3, f4 = self.levels(self._transform_inputs(inputs))
        x0, x1, x2 = self.x[0](f4, f3), self.x[1](f3, f2), self.x[2](f2, f1)
        x2, x1, x0 = self.x_levels([x2, x1, x0])
        y0, y1 = self.y[0](x0, x1, f2), self.y[1](x1, x2, f1)
        y1, y0 = self.y_levels([y1, y0])
        return self.cls_seg(self.last(self.z(y0, y1, x2, f1)))
