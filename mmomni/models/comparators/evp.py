"""Explicit Visual Prompting (Liu et al., CVPR 2023): a frozen backbone, told where to look.

Letters: ``B`` batch, ``N`` pixels of a level, ``C`` its channels, ``c = C / reduction``.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule, ModuleList
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from mmseg.models.backbones import MixVisionTransformer
from mmseg.models.utils import PatchEmbed, nchw_to_nlc, nlc_to_nchw
from torch import Tensor, nn

from mmomni.models.backbones.planes import FivePlanes
from mmomni.models.stagewise import build_stagewise
from mmomni.registry import MODELS

Size = tuple[int, int]
Block = Callable[[Tensor, Size], Tensor]


def high_frequencies(image: Tensor, share: float) -> Tensor:
    """What is left of an image without its lowest frequencies, as absolute values.

    The paper's equation (1) draws a hyperbola around the lowest frequencies; its code, and this,
    a square that holds their ``share``.

    Args:
        image: (B, 3, H, W).
        share: Of the spectrum's area, 0 to 1.

    Returns:
        (B, 3, H, W), at least in single precision.
    """
    height, width = image.shape[2:]
    half = int((height * width * share) ** 0.5 / 2)
    planes = image.to(torch.promote_types(image.dtype, torch.float32))  # else no FFT of any size
    spectrum = torch.fft.fftshift(torch.fft.fft2(planes), dim=(-2, -1))
    kept = torch.ones(height, width, device=image.device)
    top, left = height // 2, width // 2
    kept[max(0, top - half) : top + half, max(0, left - half) : left + half] = 0
    return torch.fft.ifft2(torch.fft.ifftshift(spectrum * kept, dim=(-2, -1))).real.abs()


class Prompts(BaseModule):
    """Prompts of one level: from its embedding and from the image's high frequencies."""

    def __init__(self, channels: int, reduction: int, depth: int) -> None:
        super().__init__(dict(type='TruncNormal', layer='Linear', std=0.02))
        hidden = channels // reduction
        self.embedding = nn.Linear(channels, hidden)
        self.own = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden, hidden), nn.GELU()) for _ in range(depth)
        )
        self.shared = nn.Linear(hidden, channels)

    def forward(self, embedded: Tensor, handcrafted: Tensor) -> list[Tensor]:
        """(B, N, C) and (B, N, c) -> one prompt (B, N, C) for each block."""
        feature = self.embedding(embedded) + handcrafted
        return [self.shared(mlp(feature)) for mlp in self.own]


@MODELS.register_module()
class ExplicitVisualPrompting(FivePlanes):
    """A frozen backbone that gets, before each block, a prompt added to what it works on.

    ::

        RGB ─┬─ patch embedding ─┬──────── + ─ block ─ + ─ block ─ ... ─ norm ─ level
             │   (frozen)        └ Linear ─┤ prompt    │ prompt
             └─ FFT, high frequencies ─ conv (of the level before) ┘

    Only prompts learn. Batch norms of the backbone keep their statistics, too; stochastic depth
    stays as its config has it, as in the paper's code.

    mmseg's ``MixVisionTransformer`` is prompted before each block, as in the paper. Any other
    backbone that can run stage by stage (:func:`build_stagewise`) is prompted once a stage, behind
    its last block.

    Args:
        backbone: Config of a backbone of three input planes and four levels.
        reduction: Channels of a level by those of what its prompts are made of (the paper's
            scale factor r).
        low_share: Share of the spectrum that is not high frequencies (the paper's tau).
        kwargs: Of :class:`FivePlanes`.

    Raises:
        ValueError: A level has fewer channels than ``reduction``, or ``low_share`` is no share.
    """

    sees_whole_image = True  # by the FFT

    def __init__(
        self, backbone: dict, reduction: int = 4, low_share: float = 0.25, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= low_share < 1:
            raise ValueError(f'expected low_share from 0 to below 1, got {low_share}')
        self.low_share = low_share
        if backbone['type'].endswith('MixVisionTransformer'):
            self.backbone = MODELS.build(backbone)
            channels = [self.backbone.embed_dims * heads for heads in self.backbone.num_heads]
            depths = self.backbone.num_layers
        else:
            self.backbone = build_stagewise(backbone, in_channels=3)
            channels, depths = list(self.backbone.channels), [1] * 4
        if min(channels) < reduction:
            raise ValueError(f'expected reduction up to {min(channels)} channels, got {reduction}')
        self.prompts = ModuleList(
            Prompts(c, reduction, depth) for c, depth in zip(channels, depths, strict=True)
        )
        self.handcrafted = _pyramid([c // reduction for c in channels])
        self.backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> 'ExplicitVisualPrompting':
        """As every module, but statistics of the frozen backbone stay."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """(B, 5, H, W), of which RGB is seen -> four levels (B, Ck, H / 2^(k+1), W / 2^(k+1))."""
        levels = []
        x = self.rgb(inputs)
        traces = high_frequencies(x, self.low_share).to(x.dtype)
        for index, (prompts, embed) in enumerate(zip(self.prompts, self.handcrafted, strict=True)):
            tokens, size, blocks, norm = self._level(index, x)
            handcrafted, _ = embed(traces)
            for prompt, block in zip(prompts(tokens, handcrafted), blocks, strict=True):
                tokens = block(tokens + prompt, size)
            x = nlc_to_nchw(norm(tokens), size)
            traces = nlc_to_nchw(handcrafted, size)
            levels.append(x)
        return tuple(levels)

    def _level(self, index: int, x: Tensor) -> tuple[Tensor, Size, Iterable[Block], nn.Module]:
        """Embedding (B, N, C) of a level, its height and width, its blocks and its norm."""
        if isinstance(self.backbone, MixVisionTransformer):
            embed, blocks, norm = self.backbone.layers[index]
            return *embed(x), blocks, norm
        x, _ = self.backbone.stage(index, x)
        height, width = x.shape[2:]
        return nchw_to_nlc(x), (height, width), [_as_it_is], nn.Identity()


def _as_it_is(tokens: Tensor, size: Size) -> Tensor:
    """The block of a stage that has run already."""
    del size
    return tokens


def _pyramid(channels: Sequence[int]) -> ModuleList:
    """Overlapping patch embeddings as those of MiT: stride 4, then 2 each."""
    in_channels = [3, *channels[:-1]]
    init_cfg = dict(type='Kaiming', layer='Conv2d', mode='fan_out')
    return ModuleList(
        PatchEmbed(
            planes, embed_dims, kernel_size=kernel, stride=stride, padding=kernel // 2,
            norm_cfg=dict(type='LN'), init_cfg=init_cfg,
        )
        for planes, embed_dims, kernel, stride in zip(
            in_channels, channels, (7, 3, 3, 3), (4, 2, 2, 2), strict=True
        )
    )  # fmt: skip
