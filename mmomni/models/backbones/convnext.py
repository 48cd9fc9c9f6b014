"""ConvNeXt (Liu et al., CVPR 2022), with the parameter names of ``mmpretrain.ConvNeXt``."""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from mmseg.models.backbones.swin import SwinBlockSequence
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmomni.models import fast
from mmomni.models.pretrained import LEVEL_NORMS, STEM, draw_or_load, openmmlab_names
from mmomni.registry import MODELS

CHANNELS_PER_HEAD = 32
"""Of Swin."""


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same; from here on the backbone's maps have the device's layout."""
        # The norm leaves all channels of a pixel side by side, whatever it was given.
        return fast.laid_out(super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


class ConvNeXtBlock(nn.Module):
    """7x7 depthwise conv, norm, 1x1 to 4C, GELU, 1x1 to C, layer scale, stochastic depth."""

    def __init__(
        self,
        channels: int,
        drop_path_rate: float,
        layer_scale_init_value: float,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.with_cp = with_cp
        self.depthwise_conv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pointwise_conv1 = fast.PointwiseLinear(channels, 4 * channels)
        self.pointwise_conv2 = fast.PointwiseLinear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), layer_scale_init_value))
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        if self.with_cp and x.requires_grad:
            return checkpoint(self._forward, x, use_reentrant=False, context_fn=fast.as_in_forward)
        return self._forward(x)

    def _forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise_conv(x).permute(0, 2, 3, 1))
        y = self.gamma * self.pointwise_conv2(F.gelu(self.pointwise_conv1(y)))
        return x + self.drop_path(y.permute(0, 3, 1, 2))


@MODELS.register_module()
class ConvNeXt(BaseModule):
    """A pyramid of four stages at strides 4, 8, 16, 32.

    Args:
        arch: ``'atto'``, ``'femto'``, ``'pico'``, ``'nano'``, ``'tiny'``, ``'small'``, ``'base'``
            or ``'large'``.
        in_channels: Input planes.
        drop_path_rate: Stochastic depth of the last block, growing linearly from 0.
        layer_scale_init_value: Initial value of every block's scale.
        with_cp: Compute each block anew for its gradient instead of keeping what it computed: less
            memory, slower training.
        init_cfg: mmengine's; ``dict(type='Pretrained', checkpoint=...)`` to load weights of its
            authors, of OpenMMLab or of timm, strictly.
    """

    ARCHITECTURES: ClassVar[dict[str, tuple]] = {
        'atto': ((2, 2, 6, 2), (40, 80, 160, 320)),
        'femto': ((2, 2, 6, 2), (48, 96, 192, 384)),
        'pico': ((2, 2, 6, 2), (64, 128, 256, 512)),
        'nano': ((2, 2, 8, 2), (80, 160, 320, 640)),
        'tiny': ((3, 3, 9, 3), (96, 192, 384, 768)),
        'small': ((3, 3, 27, 3), (96, 192, 384, 768)),
        'base': ((3, 3, 27, 3), (128, 256, 512, 1024)),
        'large': ((3, 3, 27, 3), (192, 384, 768, 1536)),
    }

    def __init__(
        self,
        arch: str,
        in_channels: int = 3,
        drop_path_rate: float = 0.0,
        layer_scale_init_value: float = 1e-6,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='TruncNormal', layer=['Conv2d', 'Linear'], std=0.02))
        if arch not in self.ARCHITECTURES:
            raise ValueError(f'arch must be one of {list(self.ARCHITECTURES)}, got {arch!r}')
        depths, self.channels = self.ARCHITECTURES[arch]
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths)).tolist())
        self.downsample_layers = nn.ModuleList()
        self.stages = nn.ModuleList()
        for index, (depth, channels) in enumerate(zip(depths, self.channels, strict=True)):
            self.downsample_layers.append(self._downsampling(index, in_channels))
            blocks = (
                ConvNeXtBlock(channels, next(rates), layer_scale_init_value, with_cp)
                for _ in range(depth)
            )
            self.stages.append(nn.Sequential(*blocks))
            self.add_module(f'norm{index}', LayerNorm2d(channels, eps=1e-6))

    def init_weights(self) -> None:
        """Draw the weights, or load pretrained ones; a classifier's give the levels no norms."""
        stem = f'{STEM}.weight'
        draw_or_load(self, super().init_weights, openmmlab_names, stem, LEVEL_NORMS)

    def _downsampling(self, index: int, in_channels: int) -> nn.Sequential:
        channels = self.channels[index]
        if index == 0:
            stem = nn.Conv2d(in_channels, channels, kernel_size=4, stride=4)
            return nn.Sequential(stem, LayerNorm2d(channels, eps=1e-6))
        previous = self.channels[index - 1]
        conv = nn.Conv2d(previous, channels, kernel_size=2, stride=2)
        return nn.Sequential(LayerNorm2d(previous, eps=1e-6), conv)

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        """(B, in_channels, H, W) -> four maps (B, Ck, H / 2^(k+1), W / 2^(k+1)), k = 1..4."""
        outputs = []
        for index, stage in enumerate(self.stages):
            x = stage(self.downsample_layers[index](x))
            outputs.append(getattr(self, f'norm{index}')(x))
        return tuple(outputs)


class SwinStage(nn.Module):
    """Swin blocks on a feature map instead of on tokens."""

    def __init__(self, channels: int, depth: int, window_size: int, drop_path_rate: float) -> None:
        super().__init__()
        self.blocks = SwinBlockSequence(
            channels, channels // CHANNELS_PER_HEAD, 4 * channels, depth, window_size,
            drop_path_rate=drop_path_rate,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        size = x.shape[2:]
        tokens = self.blocks(x.flatten(2).transpose(1, 2), size)[0]
        return fast.laid_out(tokens.transpose(1, 2).unflatten(2, size))


@MODELS.register_module()
class ConvNeXtSwin(ConvNeXt):
    """Two stages of ConvNeXt, then two of Swin: the trunk of Document Tampering Detector.

    With :class:`ModalGateEncoder` (``gate='fused'``) around it, which adds the Frequency
    Perception Head, it is the encoder of Qu et al., "Towards Robust Tampered Text Detection in
    Document Image", CVPR 2023.

    Args:
        arch: Of the ConvNeXt; its channels are those of all four levels.
        in_channels: Input planes.
        tail_depths: Blocks of the two Swin stages.
        window_size: Of the Swin blocks.
        drop_path_rate: Stochastic depth, growing linearly in ConvNeXt, constant in Swin.
        layer_scale_init_value: Initial value of every ConvNeXt block's scale.
    """

    def __init__(
        self,
        arch: str,
        in_channels: int = 3,
        tail_depths: Sequence[int] = (18, 2),
        window_size: int = 7,
        drop_path_rate: float = 0.0,
        layer_scale_init_value: float = 1e-6,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            arch, in_channels, drop_path_rate, layer_scale_init_value, init_cfg=init_cfg
        )
        for index, depth in zip((2, 3), tail_depths, strict=True):
            self.stages[index] = SwinStage(self.channels[index], depth, window_size, drop_path_rate)
