"""TruFor's localiser.

Guillaro et al., "TruFor: Leveraging All-Round Clues for Trustworthy Image Forgery Detection and
Localization", CVPR 2023, section 3; public code: grip-unina/TruFor.

Letters: ``B`` batch, ``H W`` image height and width, ``Ck`` channels of level k.
"""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmengine.model import ModuleDict
from torch import Tensor, nn

from mmomni.models.backbones import FivePlanes
from mmomni.models.stagewise import STRIDES, build_stagewise
from mmomni.registry import MODELS

from .cross_modal_fusion import FeatureFusion, FeatureRectification


def noise_extractor(depth: int, channels: int, norm_cfg: dict) -> nn.Sequential:
    """A DnCNN: ``depth`` 3x3 convolutions at full resolution, from RGB to one plane of noise.

    The architecture of Noiseprint++, with 17 convolutions of 64 channels.
    """
    if depth < 2:
        raise ValueError(f'expected a noise stream of 2 convolutions or more, got {depth}')
    inner = dict(kernel_size=3, padding=1, norm_cfg=norm_cfg)
    return nn.Sequential(
        ConvModule(3, channels, 3, padding=1),
        *(ConvModule(channels, channels, **inner) for _ in range(depth - 2)),
        nn.Conv2d(channels, 1, 3, padding=1),
    )


@MODELS.register_module()
class TruForEncoder(FivePlanes):
    """Two backbones of one kind, of RGB and of noise, which correct each other after every stage.

    ::

        RGB ──────────┬─ stage ─┐           ┌─ next stage ...
                      │         rectification
        noise (DnCNN) ┴─ stage ─┘     │     └─ next stage ...
                                      └─ fusion = level

    Ours: the noise stream learns with all others, where TruFor freezes a Noiseprint++ that was
    trained before; both backbones start from the same pretrained weights, as TruFor's do.

    Args:
        backbone: Config of a backbone of three planes that can run stage by stage.
        num_heads: Of the attention between the streams, at each of the four levels.
        noise_depth: Convolutions of the noise stream's extractor.
        noise_channels: Of them.
        norm_cfg: Norm layer of extractor and fusions.
        **planes: Of :class:`FivePlanes`.
    """

    def __init__(
        self,
        backbone: dict,
        num_heads: Sequence[int] = (1, 2, 5, 8),
        noise_depth: int = 17,
        noise_channels: int = 64,
        norm_cfg: dict | None = None,
        **planes: Any,
    ) -> None:
        super().__init__(**planes)
        norm_cfg = norm_cfg or dict(type='BN')
        self.extractor = noise_extractor(noise_depth, noise_channels, norm_cfg)
        streams = {kind: build_stagewise(backbone, in_channels=3) for kind in ('rgb', 'noise')}
        self.backbone = ModuleDict(streams)
        channels = streams['rgb'].channels
        self.rectifications = nn.ModuleList(FeatureRectification(each) for each in channels)
        self.fusions = nn.ModuleList(
            FeatureFusion(each, heads, norm_cfg)
            for each, heads in zip(channels, num_heads, strict=True)
        )

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Five planes (B, 5, H, W) -> four maps (B, Ck, H / stride, W / stride)."""
        rgb = self.rgb(inputs)
        noise = self.extractor(rgb).expand_as(rgb)
        levels = []
        for index in range(len(STRIDES)):
            rgb = self.backbone['rgb'].stage(index, rgb)[1]
            noise = self.backbone['noise'].stage(index, noise)[1]
            rgb, noise = self.rectifications[index](rgb, noise)
            levels.append(self.fusions[index](rgb, noise))
        return tuple(levels)
