"""IML-ViT (Ma et al., 2023): a plain Vision Transformer at high resolution, as in ViTDet.

Letters: ``B`` batch, ``h w`` height and width in patches, ``C`` channels, ``d`` channels of a head.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from mmcv.cnn.bricks.transformer import FFN
from mmengine.model import BaseModule
from mmengine.model.weight_init import trunc_normal_
from mmseg.models.utils import PatchEmbed, nlc_to_nchw
from torch import Tensor, nn

from mmomni.models.backbones.convnext import LayerNorm2d
from mmomni.models.backbones.planes import FivePlanes
from mmomni.models.pretrained import draw_or_load
from mmomni.registry import MODELS

PRETRAINED_SIDE = 14
"""Patches a side that the positions of MAE's weights were learned at: 224 / 16."""
OWN_NAMES = {
    'patch_embed.proj.': 'patch_embed.projection.',
    '.mlp.fc1.': '.mlp.layers.0.0.',
    '.mlp.fc2.': '.mlp.layers.1.',
}
"""Of layers, by those that MAE gives them."""
LAYERS = re.compile('|'.join(map(re.escape, OWN_NAMES)))
CLASSIFIER = ('cls_token', 'norm.', 'fc_norm.', 'head.')


class RelativePositions(nn.Module):
    """What a query adds for each row and each column that a key may lie in (ViTDet's, MViTv2's).

    Args:
        side: Patches a side that it is made for; for others it is interpolated.
        channels: d.
    """

    def __init__(self, side: int, channels: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(2 * side - 1, channels))
        self.columns = nn.Parameter(torch.zeros(2 * side - 1, channels))

    def forward(self, query: Tensor, size: Sequence[int]) -> Tensor:
        """(B', h * w, d) and (h, w) -> what is added to the attention, (B', h * w, h * w)."""
        height, width = size
        grid = query.unflatten(1, (height, width))
        rows = torch.einsum('bhwd,hkd->bhwk', grid, _by_distance(self.rows, height))
        columns = torch.einsum('bhwd,wkd->bhwk', grid, _by_distance(self.columns, width))
        return (rows[..., :, None] + columns[..., None, :]).flatten(3).flatten(1, 2)


def _by_distance(table: Tensor, side: int) -> Tensor:
    """Embeddings of the distance of every query from every key, (side, side, d)."""
    if len(table) != 2 * side - 1:
        table = F.interpolate(table.T[None], 2 * side - 1, mode='linear')[0].T
    places = torch.arange(side, device=table.device)
    return table[places[:, None] - places + side - 1]


class Attention(nn.Module):
    """Multi-head attention within one image, or one window."""

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor, positions: RelativePositions) -> Tensor:
        """(B', h, w, C) -> the same."""
        size = x.shape[1:3]
        qkv = self.qkv(x.flatten(1, 2)).unflatten(2, (3, self.num_heads, -1))
        query, key, value = (part.transpose(1, 2) for part in qkv.unbind(2))
        bias = positions(query.flatten(0, 1), size).unflatten(0, query.shape[:2])
        y = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        return self.proj(y.transpose(1, 2).flatten(2)).unflatten(1, size)


class Block(nn.Module):
    """Norm, attention, norm, MLP; the attention within windows, or over the whole image."""

    def __init__(
        self, channels: int, num_heads: int, window: int | None, drop_path_rate: float
    ) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.attn = Attention(channels, num_heads)
        self.drop_path = DropPath(drop_path_rate)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = FFN(
            channels, 4 * channels, act_cfg=dict(type='GELU'),
            dropout_layer=dict(type='DropPath', drop_prob=drop_path_rate),
        )  # fmt: skip

    def forward(self, x: Tensor, positions: RelativePositions) -> Tensor:
        """(B, h, w, C) -> the same."""
        y = self.norm1(x)
        if self.window is None:
            y = self.attn(y, positions)
        else:
            windows, padded = _windows(y, self.window)
            y = _from_windows(self.attn(windows, positions), padded, x.shape)
        x = x + self.drop_path(y)
        return self.mlp(self.norm2(x), identity=x)


def _windows(x: Tensor, side: int) -> tuple[Tensor, tuple[int, int]]:
    """(B, h, w, C) -> windows (B', side, side, C), and how many there are in height and width."""
    height, width = x.shape[1:3]
    x = F.pad(x, (0, 0, 0, -width % side, 0, -height % side))
    grid = (x.shape[1] // side, x.shape[2] // side)
    x = x.unflatten(2, (grid[1], side)).unflatten(1, (grid[0], side))
    return x.transpose(2, 3).flatten(0, 2), grid


def _from_windows(windows: Tensor, grid: tuple[int, int], shape: torch.Size) -> Tensor:
    """The map (B, h, w, C) of that shape that its windows were cut from."""
    x = windows.unflatten(0, (shape[0], *grid)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
    return x[:, : shape[1], : shape[2]]


@MODELS.register_module()
class WindowedViT(FivePlanes):
    """A Vision Transformer whose blocks attend within windows, but some over the whole image.

    Args:
        image_side: In pixels, that the relative positions of whole images are made for.
        channels: C.
        num_heads: Of the attention.
        global_blocks: Number of every block that attends over the whole image.
        depth: Blocks.
        patch_size: In pixels.
        window: Patches a side.
        drop_path_rate: Stochastic depth of the last block, growing linearly from 0.
        init_cfg: mmengine's; ``dict(type='Pretrained', checkpoint=...)`` to load, strictly, the
            weights of a Masked Autoencoder (facebookresearch's names); positions are interpolated.
        kwargs: Of :class:`FivePlanes`.
    """

    sees_whole_image = True  # in some blocks

    def __init__(
        self,
        image_side: int = 1024,
        channels: int = 768,
        num_heads: int = 12,
        global_blocks: Sequence[int] = (2, 5, 8, 11),
        depth: int = 12,
        patch_size: int = 16,
        window: int = 14,
        drop_path_rate: float = 0.1,
        init_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        drawn = dict(type='Xavier', layer='Linear', distribution='uniform')
        super().__init__(init_cfg=init_cfg or drawn, **kwargs)
        self.patch_embed = PatchEmbed(embed_dims=channels, kernel_size=patch_size, padding=0)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + PRETRAINED_SIDE**2, channels))
        trunc_normal_(self.pos_embed, std=0.02)
        rates = torch.linspace(0, drop_path_rate, depth).tolist()
        windows = [None if i in global_blocks else window for i in range(depth)]
        self.blocks = nn.ModuleList(
            Block(channels, num_heads, side, rate)
            for side, rate in zip(windows, rates, strict=True)
        )
        self.relative = nn.ModuleList(
            RelativePositions(side or image_side // patch_size, channels // num_heads)
            for side in windows
        )

    def init_weights(self) -> None:
        """Draw the weights, or load those of a Masked Autoencoder strictly."""
        draw_or_load(self, super().init_weights, mae_names, optional=('relative.',))

    def forward(self, inputs: Tensor) -> tuple[Tensor]:
        """(B, 5, H, W), of which RGB is seen -> one map (B, C, H / patch_size, W / patch_size)."""
        tokens, size = self.patch_embed(self.rgb(inputs))
        x = tokens.unflatten(1, size) + self._positions(size)
        for block, positions in zip(self.blocks, self.relative, strict=True):
            x = block(x, positions)
        return (nlc_to_nchw(x.flatten(1, 2), size),)

    def _positions(self, size: tuple[int, int]) -> Tensor:
        """(1, h, w, C), without that of MAE's class token."""
        grid = nlc_to_nchw(self.pos_embed[:, 1:], (PRETRAINED_SIDE, PRETRAINED_SIDE))
        return F.interpolate(grid, size, mode='bicubic').permute(0, 2, 3, 1)


def mae_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a Masked Autoencoder by our names, without its classifier; ours stay."""
    return {
        LAYERS.sub(lambda match: OWN_NAMES[match[0]], name): tensor
        for name, tensor in state_dict.items()
        if not name.startswith(CLASSIFIER)
    }


@MODELS.register_module()
class SimpleFeaturePyramid(BaseModule):
    """Five levels of one map at stride 16 (ViTDet): strides 4 to 64, each from the map itself.

    Args:
        in_channels: Of the map.
        out_channels: Of every level.
    """

    def __init__(
        self, in_channels: int = 768, out_channels: int = 256, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        half, quarter = in_channels // 2, in_channels // 4
        four_times = [
            nn.ConvTranspose2d(in_channels, half, 2, stride=2), LayerNorm2d(half, eps=1e-6),
            nn.GELU(), nn.ConvTranspose2d(half, quarter, 2, stride=2),
        ]  # fmt: skip
        scales: list[tuple[list[nn.Module], int]] = [
            (four_times, quarter),
            ([nn.ConvTranspose2d(in_channels, half, 2, stride=2)], half),
            ([], in_channels),
            ([nn.MaxPool2d(2)], in_channels),
        ]
        self.levels = nn.ModuleList(
            nn.Sequential(
                *layers,
                nn.Conv2d(channels, out_channels, 1, bias=False),
                LayerNorm2d(out_channels, eps=1e-6),
                nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
                LayerNorm2d(out_channels, eps=1e-6),
            )
            for layers, channels in scales
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """One map (B, C, h, w) -> levels (B, C', h', w'), h' = 4 h, 2 h, h, h / 2, h / 4."""
        (x,) = inputs
        levels = [level(x) for level in self.levels]
        return *levels, F.max_pool2d(levels[-1], kernel_size=1, stride=2)
