"""Two streams that correct and join each other (CMX: Zhang et al., IEEE T-ITS 2023, section III).

Letters: ``B`` batch, ``C`` channels of both streams, ``H W`` size of their maps, ``N = H W``.
"""

import torch
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn


class FeatureRectification(nn.Module):
    """Each stream takes from the other, by weights of channels and by weights of pixels.

    Half of what is added is weighted by channel, from averages and maxima of both streams, half by
    pixel, from both maps.

    Args:
        channels: Of each stream.
    """

    sees_whole_image = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.of_channels = nn.Sequential(
            nn.Linear(4 * channels, 4 * channels), nn.ReLU(), nn.Linear(4 * channels, 2 * channels)
        )
        self.of_pixels = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, 2, 1)
        )

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Two maps (B, C, H, W) -> the same, rectified."""
        both = torch.cat([first, second], dim=1)
        pooled = torch.cat([both.mean(dim=(2, 3)), both.amax(dim=(2, 3))], dim=1)
        of_channels = self.of_channels(pooled).sigmoid()[:, :, None, None].chunk(2, dim=1)
        of_pixels = self.of_pixels(both).sigmoid().chunk(2, dim=1)
        to_second, to_first = (
            (channel + pixel) / 2 for channel, pixel in zip(of_channels, of_pixels, strict=True)
        )
        return first + to_first * second, second + to_second * first


class CrossAttention(nn.Module):
    """Each stream reads the other by a ``C x C`` context, not by a matrix of pixels.

    Args:
        channels: Of each stream.
        num_heads: A divisor of them.
    """

    sees_whole_image = True

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(f'expected num_heads to divide {channels} channels, got {num_heads}')
        self.num_heads = num_heads
        self.key_values = nn.ModuleList(
            nn.Linear(channels, 2 * channels, bias=False) for _ in range(2)
        )

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, C) of both -> what each reads of the other, likewise."""
        contexts = [
            self._context(layer(x))
            for layer, x in zip(self.key_values, (first, second), strict=True)
        ]
        return self._read(first, contexts[1]), self._read(second, contexts[0])

    def _context(self, key_values: Tensor) -> Tensor:
        """(B, N, 2C) -> (B, heads, C / heads, C / heads)."""
        keys, values = (self._by_head(x) for x in key_values.chunk(2, dim=-1))
        return (keys.mT @ values * keys.shape[-1] ** -0.5).softmax(dim=-2)

    def _read(self, queries: Tensor, context: Tensor) -> Tensor:
        return (self._by_head(queries) @ context).transpose(1, 2).flatten(2)

    def _by_head(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class FeatureFusion(nn.Module):
    """Two streams, after they have read each other, as one map.

    Args:
        channels: Of each stream and of the result.
        num_heads: Of the attention between them.
        norm_cfg: Norm layer.
    """

    def __init__(self, channels: int, num_heads: int, norm_cfg: dict) -> None:
        super().__init__()
        self.enter = nn.ModuleList(nn.Linear(channels, 2 * channels) for _ in range(2))
        self.attention = CrossAttention(channels, num_heads)
        self.leave = nn.ModuleList(nn.Linear(2 * channels, channels) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.skip = nn.Conv2d(2 * channels, channels, 1, bias=False)
        self.mix = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            build_norm_layer(norm_cfg, channels)[1],
        )
        self.norm = build_norm_layer(norm_cfg, channels)[1]

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two maps (B, C, H, W) -> one (B, C, H, W)."""
        tokens = [x.flatten(2).transpose(1, 2) for x in (first, second)]
        halves = [
            layer(x).relu().chunk(2, dim=-1) for layer, x in zip(self.enter, tokens, strict=True)
        ]
        kept, asking = zip(*halves, strict=True)
        read = self.attention(*asking)
        joined = [
            self.norms[i](tokens[i] + self.leave[i](torch.cat([kept[i], read[i]], dim=-1)))
            for i in range(2)
        ]
        x = torch.cat(joined, dim=-1).transpose(1, 2).unflatten(2, first.shape[2:])
        return self.norm(self.skip(x) + self.mix(x))
