"""Mesorch (Zhu et al., AAAI 2025): details by a CNN, objects by a Transformer, weighed by pixel.

Letters: ``B`` batch, ``H W`` image height and width, ``Ck`` channels of level k of either network.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmomni.models.backbones.convnext import LayerNorm2d
from mmomni.models.backbones.planes import FivePlanes
from mmomni.models.pretrained import load_pretrained, pretrained_part
from mmomni.registry import MODELS

LEVELS = 4
STEM_OF_MIT = 'layers.0.0.projection.weight'


def dct_matrix(size: int, like: Tensor) -> Tensor:
    """The orthonormal DCT-II of ``size`` values as a matrix (size, size), frequencies in rows.

    Angles are whole numbers of steps, less full turns: single precision has all digits of them.
    """
    n = torch.arange(size, device=like.device)
    steps = (n[:, None] * (2 * n + 1) % (4 * size)).to(like)
    matrix = math.sqrt(2 / size) * torch.cos(math.pi / (2 * size) * steps)
    matrix[0] /= math.sqrt(2)
    return matrix


def frequency_images(image: Tensor, low: float = 0.05, high: float = 0.95) -> tuple[Tensor, Tensor]:
    """The image without its low and without its high frequencies, each scaled to 0..1.

    By one DCT of the whole image. The first lacks frequencies that are among the first ``low`` of
    both rows and columns, the second those among the last ``high`` of both. As what either lacks is
    a product of two projections, the few lowest rows and columns of the DCT suffice.

    Args:
        image: (B, C, H, W).
        low: Share of rows and columns that the first result lacks.
        high: Share of rows and columns that the second result lacks.

    Returns:
        Two images (B, C, H, W) of details and of objects.
    """
    with _no_autocast(image):
        x = image.to(torch.promote_types(image.dtype, torch.float32))
        height, width = x.shape[2:]
        rows, columns = (_lowest(int(low * n), n, x) for n in (height, width))
        details = x - rows @ x @ columns
        rows, columns = (_lowest(n - int(high * n), n, x) for n in (height, width))
        partly = rows @ x
        objects = partly + (x - partly) @ columns
    return _scaled(details).to(image.dtype), _scaled(objects).to(image.dtype)


def _lowest(number: int, size: int, like: Tensor) -> Tensor:
    """The projection of ``size`` values onto their lowest frequencies, (size, size)."""
    basis = dct_matrix(size, like)[:number]
    return basis.T @ basis


def _no_autocast(x: Tensor) -> AbstractContextManager:
    """Digits are kept that half precision has not; shapes alone have no precision."""
    device = x.device.type
    return nullcontext() if device == 'meta' else torch.autocast(device, enabled=False)


def _scaled(image: Tensor) -> Tensor:
    """To 0..1 in every sample; what is constant, to 0."""
    smallest, largest = (f(image, dim=(1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
    span = largest - smallest
    return (image - smallest) / span.where(span > 0, torch.ones_like(span))


class Weighing(nn.Module):
    """How much each level counts at each pixel of stride 4, from the images alone."""

    def __init__(self, planes: int, channels: int, levels: int) -> None:
        super().__init__()
        self.begin = nn.Conv2d(planes, channels, 7, stride=2, padding=3)
        self.residual = nn.Sequential(
            LayerNorm2d(channels, eps=1e-6),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.Conv2d(channels, 4 * channels, 1),
            nn.Conv2d(4 * channels, channels, 1),
            nn.GELU(),
        )
        self.end = nn.Conv2d(channels, levels, 7, stride=2, padding=3)

    def forward(self, images: Tensor) -> Tensor:
        """(B, planes, H, W) -> weights (B, levels, H / 4, W / 4), of every pixel 1 in all."""
        x = self.begin(images)
        return self.end(x + self.residual(x)).float().softmax(dim=1)


@MODELS.register_module()
class MesorchEncoder(FivePlanes):
    """Two pyramids and the weights of their levels.

    ::

        RGB ─┬─ DCT ─ details ── + RGB ─ CNN (local) ──────── 4 levels ─┐
             ├─ DCT ─ objects ── + RGB ─ Transformer (whole) ─ 4 levels ┼ 9 outputs
             └─ RGB, details, objects ─ weighing ────── weights of 8 ───┘

    Both see six planes; a pretrained stem of three gets further ones that start at zero (the
    public code draws them).

    Args:
        local: Config of a backbone, without ``in_channels``: ``mmomni.ConvNeXt`` in the paper.
        whole: Likewise, mmseg's ``MixVisionTransformer``.
        weighing_channels: Of the network that weighs.
        kwargs: Of :class:`FivePlanes`.
    """

    sees_whole_image = True  # by the DCT

    def __init__(
        self, local: dict, whole: dict, weighing_channels: int = 192, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.pretrained = pretrained_part(whole.get('init_cfg'))  # mmengine would skip the stem
        if self.pretrained is not None:
            whole = {key: value for key, value in whole.items() if key != 'init_cfg'}
        self.local = MODELS.build({**local, 'in_channels': 6})
        self.whole = MODELS.build({**whole, 'in_channels': 6})
        self.weighing = Weighing(9, weighing_channels, 2 * LEVELS)

    def init_weights(self) -> None:
        """Draw the weights, then load the pretrained ones, strictly."""
        super().init_weights()
        if self.pretrained is not None:
            load_pretrained(self.whole, self.pretrained, stem=STEM_OF_MIT)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """(B, 5, H, W) -> four local levels, four of the whole, and weights (B, 8, H/4, W/4)."""
        rgb = self.rgb(inputs)
        details, objects = frequency_images(rgb)
        local = self.local(torch.cat([rgb, details], dim=1))
        whole = self.whole(torch.cat([rgb, objects], dim=1))
        weights = self.weighing(torch.cat([rgb, details, objects], dim=1))
        return *local, *whole, weights


@MODELS.register_module()
class MesorchHead(BaseDecodeHead):
    """One prediction of each level, enlarged by transposed convolutions, and their weighted sum.

    Args:
        in_channels: Of the four local levels and of the four of the whole.
        kwargs: Of mmseg's ``BaseDecodeHead``.
    """

    def __init__(self, in_channels: Sequence[int], **kwargs: Any) -> None:
        super().__init__(
            in_channels=[*in_channels, len(in_channels)], in_index=list(range(2 * LEVELS + 1)),
            channels=1, input_transform='multiple_select', dropout_ratio=0, init_cfg=None, **kwargs,
        )  # fmt: skip
        pyramids = in_channels[:LEVELS], in_channels[LEVELS:]
        self.enlarge = nn.ModuleList(
            _up(pyramid[: k + 1]) for pyramid in pyramids for k in range(LEVELS)
        )
        self.classify = nn.ModuleList(
            nn.Conv2d(pyramid[0], self.out_channels, 1) for pyramid in pyramids for _ in pyramid
        )
        self.conv_seg = nn.Identity()  # the predictions of the levels stand in its place

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """What :class:`MesorchEncoder` gives -> logits (B, 2, H / 4, W / 4)."""
        *levels, weights = self._transform_inputs(inputs)
        parts = zip(levels, self.enlarge, self.classify, weights.split(1, dim=1), strict=True)
        logits = [weight * classify(enlarge(x)) for x, enlarge, classify, weight in parts]
        return torch.stack(logits).sum(dim=0)


def _up(channels: Sequence[int]) -> nn.Sequential:
    """From the last of these channels to the first, each step twice the height and width."""
    return nn.Sequential(
        *(
            nn.ConvTranspose2d(after, before, 4, stride=2, padding=1)
            for before, after in reversed(list(pairwise(channels)))
        )
    )
