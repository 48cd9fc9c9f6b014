"""Stages of Swin Transformer V2 (Liu et al., CVPR 2022), with the names of mmpretrain.

mmseg has the first version only. Letters: ``N`` tokens of a window, ``L`` tokens of a map.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import FFN
from mmengine.model import BaseModule
from mmseg.models.backbones.swin import ShiftWindowMSA
from mmseg.models.utils.embed import PatchMerging
from torch import Tensor, nn

HIDDEN = 512
"""Of the network that gives positions their bias."""
MAX_SCALE = math.log(100)
START = 0.01
"""Of the norms behind attention and network, which begin with 0 in the paper: then nothing else
has a gradient in the first step."""


class CosineWindowMSA(BaseModule):
    """Attention within a window by cosines, with a bias that is a function of the log of distances.

    Args:
        channels: Of the tokens.
        window_size: Its side.
        num_heads: Of the attention.
    """

    offsets: Tensor
    pairs: Tensor

    def __init__(self, channels: int, window_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.logit_scale = nn.Parameter(torch.full((num_heads, 1, 1), math.log(10)))
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, HIDDEN), nn.ReLU(inplace=True), nn.Linear(HIDDEN, num_heads, bias=False)
        )
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(channels))
        self.v_bias = nn.Parameter(torch.zeros(channels))
        self.proj = nn.Linear(channels, channels)
        distances = torch.arange(1 - window_size, window_size)
        steps = 8 * distances / max(window_size - 1, 1)
        steps = steps.sign() * (steps.abs() + 1).log2() / 3
        self.register_buffer('offsets', torch.cartesian_prod(steps, steps), persistent=False)
        rows, columns = torch.cartesian_prod(*[torch.arange(window_size)] * 2).T
        rows, columns = (x[:, None] - x + window_size - 1 for x in (rows, columns))
        self.register_buffer('pairs', rows * len(distances) + columns, persistent=False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B · windows, N, C), and a mask (windows, N, N) that is added -> (B · windows, N, C)."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias).unflatten(-1, (3, self.num_heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scale = self.logit_scale.clamp(max=MAX_SCALE).exp()
        logits = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * scale
        logits = logits + 16 * self.cpb_mlp(self.offsets)[self.pairs].sigmoid().movedim(-1, 0)
        if mask is not None:
            windows = logits.unflatten(0, (-1, len(mask)))
            logits = (windows + mask[:, None]).flatten(0, 1)
        return self.proj((logits.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))


class SwinBlockV2(BaseModule):
    """Attention in windows, then a network for each token; each is normalised before it is added.

    Args:
        channels: Of the tokens.
        num_heads: Of the attention.
        window_size: Side of a window.
        shift: Move the windows by half a side.
        drop_path_rate: Stochastic depth.
    """

    def __init__(
        self, channels: int, num_heads: int, window_size: int, shift: bool, drop_path_rate: float
    ) -> None:
        super().__init__()
        drop_path = dict(type='DropPath', drop_prob=drop_path_rate)
        self.attn = ShiftWindowMSA(
            channels, num_heads, window_size, window_size // 2 if shift else 0,
            dropout_layer=drop_path,
        )  # fmt: skip
        self.attn.w_msa = CosineWindowMSA(channels, window_size, num_heads)
        self.norm1 = nn.LayerNorm(channels)
        self.ffn = FFN(
            channels, 4 * channels, act_cfg=dict(type='GELU'), dropout_layer=drop_path,
            add_identity=False,
        )  # fmt: skip
        self.norm2 = nn.LayerNorm(channels)
        for norm in (self.norm1, self.norm2):
            nn.init.constant_(norm.weight, START)

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Tokens (B, L, C) of a map of ``size`` -> the same."""
        x = x + self.norm1(self.attn(x, size))
        return x + self.norm2(self.ffn(x))


class Merging(PatchMerging):
    """mmseg's, with the norm behind it."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, norm_cfg=None)
        self.last_norm = nn.LayerNorm(out_channels)

    def forward(self, x: Tensor, size: Sequence[int]) -> tuple[Tensor, Sequence[int]]:
        """Tokens (B, L, C) of a map of ``size`` -> (B, L / 4, C') and their size."""
        x, size = super().forward(x, size)
        return self.last_norm(x), size


class SwinStageV2(BaseModule):
    """Blocks, every second one with windows between those of the first.

    Args:
        channels: Of the tokens.
        depth: Number of blocks.
        channels_per_head: Of the attention.
        window_size: Side of a window.
        drop_path_rate: Stochastic depth, the same for all blocks.
        before: Channels of the stage before, which is merged to half the side; ``None``: the map
            comes as it is.
    """

    def __init__(
        self,
        channels: int,
        depth: int,
        channels_per_head: int = 32,
        window_size: int = 8,
        drop_path_rate: float = 0.0,
        before: int | None = None,
    ) -> None:
        super().__init__()
        self.downsample = None if before is None else Merging(before, channels)
        self.blocks = nn.ModuleList(
            SwinBlockV2(
                channels, channels // channels_per_head, window_size, bool(k % 2), drop_path_rate
            )
            for k in range(depth)
        )

    def merge(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> what the blocks begin with, (B, C', H / 2, W / 2)."""
        if self.downsample is None:
            return x
        tokens, size = self.downsample(x.flatten(2).transpose(1, 2), x.shape[2:])
        return tokens.transpose(1, 2).unflatten(2, tuple(size))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C', H, W) -> the same."""
        size, tokens = x.shape[2:], x.flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens, size)
        return tokens.transpose(1, 2).unflatten(2, tuple(size))
