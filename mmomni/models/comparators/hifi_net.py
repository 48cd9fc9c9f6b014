"""HiFi-Net's localiser.

Guo et al., "Hierarchical Fine-Grained Image Forgery Detection and Localization", CVPR 2023,
section 3; public code: CHELSEA234/HiFi_IFDL.

Letters: ``B`` batch, ``H W`` image height and width, ``S`` stride of the first of four branches.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.backbones import HRNet
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from torch import Tensor, nn

from mmomni.models.backbones import FivePlanes
from mmomni.registry import MODELS

STEM_CHANNELS = 64
"""That mmseg's HRNet expects of its stem."""


class MultiScaleLaplacian(nn.Module):
    """What features lose when they are smoothed, made smaller and larger again, at three scales.

    Args:
        channels: Of features and result.
        scales: By which they are made smaller, and the sigma of the 3x3 Gaussian before.
        dropout: Of the result.
        norm_cfg: Norm layer.
    """

    def __init__(
        self, channels: int, scales: Sequence[int], dropout: float, norm_cfg: dict
    ) -> None:
        super().__init__()
        self.scales = tuple(scales)
        places = torch.arange(-1.0, 2.0)
        for scale in self.scales:
            bell = (-((places / scale) ** 2) / 2).exp()
            kernel = (bell[:, None] * bell / bell.sum() ** 2)[None, None]
            self.register_buffer(f'gaussian{scale}', kernel, persistent=False)
        self.merge = nn.Sequential(
            ConvModule(len(self.scales) * channels, channels, 1, norm_cfg=norm_cfg),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        return self.merge(torch.cat([x - self._smoothed(x, s) for s in self.scales], dim=1))

    def _smoothed(self, x: Tensor, scale: int) -> Tensor:
        kernel = self.get_buffer(f'gaussian{scale}').to(x).expand(x.shape[1], -1, -1, -1)
        padded = F.pad(x, (1, 1, 1, 1), mode='replicate')
        smooth = F.conv2d(padded, kernel, groups=x.shape[1])
        small = [max(side // scale, 1) for side in x.shape[2:]]
        linear = dict(mode='bilinear', align_corners=False)
        return resize(resize(smooth, small, **linear), x.shape[2:], **linear)


class TwoStreamStem(nn.Module):
    """Features of colours and of what is left of them without their low frequencies, merged.

    Args:
        strides: Of the two convolutions of each stream.
        norm_cfg: Norm layer.
        dropout: After each merging convolution.
    """

    def __init__(self, strides: Sequence[int], norm_cfg: dict, dropout: float = 0.2) -> None:
        super().__init__()
        first, second = (
            dict(kernel_size=3, stride=stride, padding=1, norm_cfg=norm_cfg) for stride in strides
        )
        channels = STEM_CHANNELS
        self.colours = nn.Sequential(
            ConvModule(3, channels, **first), ConvModule(channels, channels, **second)
        )
        self.frequencies = nn.Sequential(
            ConvModule(3, channels, **first),
            MultiScaleLaplacian(channels, (2, 4, 8), dropout, norm_cfg),
            ConvModule(channels, channels, **second),
        )
        self.merge = nn.Sequential(
            ConvModule(2 * channels, channels, 1, groups=2, norm_cfg=norm_cfg),
            nn.Dropout(dropout),
        )

    def forward(self, rgb: Tensor) -> Tensor:
        """R, G and B (B, 3, H, W) -> (B, 64, H / S, W / S)."""
        return self.merge(torch.cat([self.colours(rgb), self.frequencies(rgb)], dim=1))


class _HRNetBehindStem(HRNet):
    """mmseg's HRNet without the stem of its own."""

    def __init__(self, stages: dict, norm_cfg: dict) -> None:
        super().__init__(stages, norm_cfg=norm_cfg)
        for name in ('conv1', self.norm1_name, 'conv2', self.norm2_name, 'relu'):
            setattr(self, name, nn.Identity())


@MODELS.register_module()
class HiFiEncoder(FivePlanes):
    """An HRNet behind a stem of two streams, with all its branches from the second stage on.

    Ours: the stem halves the image once (``S = 2``), where the public code shrinks every image to
    256 x 256 first; crops of 512 x 512 have the same maps, and nothing is lost before the stem.

    Args:
        channels: Of the branches, at ``S``, ``2 S``, ``4 S`` and ``8 S``.
        blocks: Of each branch in each stage.
        first_channels: Of the bottlenecks of the first stage, which gives four times as many.
        strides: Of the stem's two convolutions; the product is ``S``.
        norm_cfg: Norm layer.
        **planes: Of :class:`FivePlanes`.
    """

    def __init__(
        self,
        channels: Sequence[int] = (18, 36, 72, 144),
        blocks: int = 2,
        first_channels: int = 64,
        strides: Sequence[int] = (1, 2),
        norm_cfg: dict | None = None,
        **planes: Any,
    ) -> None:
        super().__init__(**planes)
        norm_cfg = norm_cfg or dict(type='BN', momentum=0.01)
        first = _stage('BOTTLENECK', [first_channels], blocks)
        later = {f'stage{i}': _stage('BASIC', channels, blocks) for i in (2, 3, 4)}
        self.stem = TwoStreamStem(strides, norm_cfg)
        self.branches = _HRNetBehindStem({'stage1': first, **later}, norm_cfg)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Five planes (B, 5, H, W) -> four maps (B, Ck, H / (S 2^k), W / (S 2^k)), k = 0..3."""
        return tuple(self.branches(self.stem(self.rgb(inputs))))


def _stage(block: str, channels: Sequence[int], blocks: int) -> dict:
    """One entry of mmseg's config of an HRNet."""
    return dict(
        num_modules=1, num_branches=len(channels), block=block,
        num_blocks=(blocks,) * len(channels), num_channels=tuple(channels),
    )  # fmt: skip


class BlockAttention(nn.Module):
    """Every block of pixels looks at every other one (non-local attention), added to the features.

    Ours: a block is a square of pixels. The public code reshapes rows into channels, which is the
    same arithmetic for a fixed size of image and has no meaning for others.

    Args:
        channels: Of the features.
        block: Its side.
    """

    sees_whole_image = True

    def __init__(self, channels: int, block: int) -> None:
        super().__init__()
        self.block = block
        width = channels * block**2
        self.query, self.key, self.value = (nn.Conv2d(width, width, 1) for _ in range(3))
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), H and W multiples of the block's side -> the same."""
        blocks = F.pixel_unshuffle(x, self.block)
        queries, keys, values = (
            layer(blocks).flatten(2).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        read = F.scaled_dot_product_attention(queries, keys, values, scale=1.0)
        read = read.transpose(1, 2).unflatten(2, blocks.shape[2:])
        return x + self.project(F.pixel_shuffle(read, self.block))


@MODELS.register_module()
class HiFiHead(BaseDecodeHead):
    """A pyramid from the coarsest branch to the finest, attention, two convolutions to the mask.

    Args:
        block: Side of the blocks of pixels of the attention.
        mask_channels: Between the last two convolutions.
        **kwargs: Of mmseg's ``BaseDecodeHead``; ``channels`` are the pyramid's.
    """

    def __init__(self, block: int = 4, mask_channels: int = 18, **kwargs: Any) -> None:
        super().__init__(input_transform='multiple_select', dropout_ratio=0.0, **kwargs)
        width = self.channels
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(each, width, 1), nn.Conv2d(width, width, 3, padding=1))
            for each in self.in_channels
        )
        self.smooth = nn.ModuleList(
            ConvModule(width, width, 3, padding=1, norm_cfg=self.norm_cfg)
            for _ in self.in_channels
        )
        self.attention = BlockAttention(width, block)
        self.mask = nn.Conv2d(width, mask_channels, 3, padding=1)
        self.conv_seg = nn.Conv2d(mask_channels, self.out_channels, 3, padding=1)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Four branches, the finest first -> logits (B, 2, H / S, W / S)."""
        branches = self._transform_inputs(inputs)
        features = [lateral(x) for lateral, x in zip(self.laterals, branches, strict=True)]
        x = self.smooth[-1](features[-1])
        for feature, smooth in zip(features[-2::-1], self.smooth[-2::-1], strict=True):
            x = smooth(feature + resize(x, feature.shape[2:], mode='bilinear', align_corners=False))
        return self.cls_seg(self.mask(self.attention(x)).relu())
