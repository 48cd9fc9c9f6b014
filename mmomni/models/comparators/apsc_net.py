"""APSC-Net (Qu et al., "Towards Modern Image Manipulation Localization", CVPR 2024).

Letters: ``B`` batch, ``h w`` height and width at stride 4, ``C`` channels of the decoder.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.decode_heads.psp_head import PPM
from mmseg.models.decode_heads.sep_aspp_head import DepthwiseSeparableASPPHead
from mmseg.models.utils import resize
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmomni.registry import MODELS

KERNEL = 31
"""Side of the kernel that a map is spread by."""
LOOK = 64
"""Side to which a map is resized before its kernel is chosen."""


class AdaptiveSum(nn.Module):
    """Adaptive perception: levels of a pyramid, each weighed by what all of them hold.

    Args:
        channels: Of each level.
        levels: Their number.
    """

    def __init__(self, channels: int, levels: int, reduction: int = 8) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        whole = channels * levels
        self.weigh = nn.Sequential(
            nn.Conv2d(whole, whole // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(whole // reduction, levels, 1),
            nn.Sigmoid(),
        )

    def forward(self, levels: Sequence[Tensor], align_corners: bool) -> Tensor:
        """Levels (B, C, h, w), (B, C, h / 2, w / 2), ... -> their sum at the size of the first."""
        weights = self.weigh(torch.cat([self.pool(x) for x in levels], dim=1))
        size = levels[0].shape[2:]
        parts = (
            weight * resize(x, size, mode='bilinear', align_corners=align_corners)
            for weight, x in zip(weights.split(1, dim=1), levels, strict=True)
        )
        return sum(parts, start=torch.zeros_like(levels[0]))


class MapAttention(nn.Module):
    """A map of probabilities, spread by a kernel that it chooses itself.

    It looks at the whole map twice, for the kernel and for the range of what comes out.
    """

    sees_whole_image = True

    def __init__(self, channels: Sequence[int], norm_cfg: dict | None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        kernels = [5] * (len(channels) - 1) + [3]
        for before, after, kernel in zip((1, *channels), channels, kernels, strict=False):
            layers.append(
                ConvModule(before, after, kernel, 2, padding=kernel // 2, norm_cfg=norm_cfg)
            )
        self.choose = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1),
            nn.Linear(channels[-1], KERNEL**2),
        )  # fmt: skip

    def forward(self, probability: Tensor) -> Tensor:
        """(B, 1, h, w) in 0..1 -> the same, nowhere less."""
        seen = resize(probability, (LOOK, LOOK), mode='bilinear', align_corners=True)
        kernels = self.choose(seen).view(-1, 1, KERNEL, KERNEL)
        rows = F.conv2d(
            probability.movedim(0, 1), kernels, padding=KERNEL // 2, groups=len(kernels)
        )
        spread = rows.movedim(1, 0)
        low, high = spread.amin((2, 3), keepdim=True), spread.amax((2, 3), keepdim=True)
        return torch.maximum((spread - low) / (high - low + 1e-8), probability)


class SeparableASPP(DepthwiseSeparableASPPHead):
    """mmseg's DeepLabV3+ head that gives its features, too."""

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Low level (B, C1, h, w) and (B, C', h / 2, w / 2) -> logits (B, 2, h, w) and features."""
        low, x = inputs
        size = x.shape[2:]
        pooled = resize(
            self.image_pool(x), size, mode='bilinear', align_corners=self.align_corners
        )
        features = self.bottleneck(torch.cat([pooled, *self.aspp_modules(x)], dim=1))
        low = self.c1_bottleneck(low)
        enlarged = resize(
            features, low.shape[2:], mode='bilinear', align_corners=self.align_corners
        )
        return self.cls_seg(self.sep_bottleneck(torch.cat([enlarged, low], dim=1))), features


class SelfCalibration(nn.Module):
    """The next features from those that were weighed by a map and those of the ASPP."""

    def __init__(self, channels: int, added: int, norm_cfg: dict | None) -> None:
        super().__init__()
        whole = channels + added
        self.excite = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(whole, whole // 8, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(whole // 8, whole, 1),
            nn.Sigmoid(),
        )
        self.reduce = ConvModule(whole, channels, 1, norm_cfg=norm_cfg)

    def forward(self, x: Tensor, added: Tensor) -> Tensor:
        """(B, channels, h, w) and (B, added, h, w) -> (B, channels, h, w)."""
        x = torch.cat([x, added], dim=1)
        return self.reduce(x * self.excite(x))


@MODELS.register_module()
class APSCHead(BaseDecodeHead):
    """The decoder of APSC-Net: adaptive perception, then self-calibration in three rounds.

    ::

        levels ─ PPM, adaptive top-down sums ─ FPN convs ─┬─ concat at stride 8 = X
                                                          └─ level 1 ─ conv = first map
        three times: X · spread(last map) ─ ASPP ─ map;  X = calibrate(X, features of the ASPP)

    Args:
        in_channels: Channels of the four levels, strides 4 to 32.
        channels: ``C``.
        low_channels: Channels of level 1 for the ASPP, and of what it takes of them.
        map_channels: Of the layers that choose a map's kernel.
        dilations: Of the ASPP.
        pool_scales: Of the pyramid pooling module.
        rounds: Of self-calibration.
        **kwargs: Those of mmseg's ``BaseDecodeHead``.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int = 512,
        low_channels: Sequence[int] = (256, 48),
        map_channels: Sequence[int] = (32, 64, 128, 256, 512),
        dilations: Sequence[int] = (1, 12, 24, 36),
        pool_scales: Sequence[int] = (1, 2, 3, 6),
        rounds: int = 3,
        num_classes: int = 2,
        in_index: Sequence[int] = (0, 1, 2, 3),
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault('out_channels', num_classes)
        kwargs.setdefault('init_cfg', None)
        super().__init__(
            in_channels, channels, num_classes=num_classes, in_index=in_index,
            input_transform='multiple_select', **kwargs,
        )  # fmt: skip
        self.rounds = rounds
        self._build_pyramid(pool_scales)
        whole = 4 * channels
        self.low = nn.Conv2d(channels, low_channels[0], 1)
        self.aspp = SeparableASPP(
            c1_in_channels=low_channels[0], c1_channels=low_channels[1], in_channels=whole,
            channels=channels, dilations=dilations, num_classes=num_classes,
            out_channels=self.out_channels, dropout_ratio=self.dropout_ratio,
            norm_cfg=self.norm_cfg, align_corners=self.align_corners, init_cfg=None,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),  # of no use here
        )  # fmt: skip
        self.attention = MapAttention(map_channels, self.norm_cfg)
        self.calibration = SelfCalibration(whole, channels, self.norm_cfg)

    def _build_pyramid(self, pool_scales: Sequence[int]) -> None:
        *lower, top = self.in_channels
        channels, norm_cfg = self.channels, self.norm_cfg
        self.ppm = PPM(
            pool_scales, top, channels, None, norm_cfg, self.act_cfg, self.align_corners
        )
        self.ppm_conv = ConvModule(
            top + len(pool_scales) * channels, channels, 3, padding=1, norm_cfg=norm_cfg
        )
        self.laterals = nn.ModuleList(
            ConvModule(c, channels, 1, norm_cfg=norm_cfg, inplace=False) for c in lower
        )
        self.sums = nn.ModuleList(AdaptiveSum(channels, 4 - k) for k in range(3))
        self.fpn_convs = nn.ModuleList(
            ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg, inplace=False)
            for _ in lower
        )

    def _pyramid(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Backbone levels -> four maps (B, C, h / 2^k, w / 2^k)."""
        *lower, top = inputs
        levels = [conv(x) for conv, x in zip(self.laterals, lower, strict=True)]
        levels.append(self.ppm_conv(torch.cat([top, *self.ppm(top)], dim=1)))
        for k in (2, 1, 0):
            levels[k] = self.sums[k](levels[k:], self.align_corners)
        return [conv(x) for conv, x in zip(self.fpn_convs, levels, strict=False)] + levels[-1:]

    def decode(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Four levels -> logits (B, 2, h, w): the first, then one of each round."""
        levels = self._pyramid(self._transform_inputs(inputs))
        maps, low = [self.cls_seg(levels[0])], self.low(levels[0])
        size = levels[1].shape[2:]
        x = torch.cat([self._resize(level, size) for level in levels], dim=1)
        for k in range(self.rounds):
            x = x * self.attention(self._resize(maps[-1].softmax(dim=1)[:, 1:2], size))
            logits, features = self.aspp([low, x])
            maps.append(logits)
            if k + 1 < self.rounds:
                x = self.calibration(x, features)
        return maps

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Four levels -> logits of the last round, (B, 2, h, w)."""
        return self.decode(inputs)[-1]

    def loss(
        self, inputs: Sequence[Tensor], batch_data_samples: SampleList, train_cfg: dict
    ) -> dict:
        """Half the sum over the losses of all maps; those before the last are ``round_K_...``."""
        *earlier, last = (
            self.loss_by_feat(logits, batch_data_samples) for logits in self.decode(inputs)
        )
        for k, losses in enumerate(earlier):
            last |= {f'round_{k}_{key}': x for key, x in losses.items() if key != 'acc_seg'}
        return {key: x if key == 'acc_seg' else x / 2 for key, x in last.items()}

    def _resize(self, x: Tensor, size: Sequence[int]) -> Tensor:
        return resize(x, size, mode='bilinear', align_corners=self.align_corners)
