from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from .global_average import GlobalAverage


class ModalGate(nn.Module):
    """Which modality serves this sample better?

    Paper, section 3.1 and figure 3.

    ``F_cat = concat(F_rgb, F_fused, repeat(P_rgb), repeat(P_fused))``, several conv layers,
    global average pool, linear. The predictions enter as probabilities, repeated to as many
    channels as one feature map has, so that each of the four parts has equal room.

    Args:
        channels: ``C2``, channels of ``F_rgb`` and of ``F_fused``.
        num_classes: Channels of each coarse prediction.
        norm_cfg: Norm layer.
    """

    def __init__(self, channels: int, num_classes: int, norm_cfg: dict) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.repeats = max(1, channels // num_classes)
        in_channels = 2 * channels + 2 * num_classes * self.repeats
        self.convs = nn.Sequential(
            ConvModule(in_channels, channels, 3, stride=2, padding=1, norm_cfg=norm_cfg),
            ConvModule(channels, channels, 3, stride=2, padding=1, norm_cfg=norm_cfg),
        )
        self.pool = GlobalAverage()
        self.linear = nn.Linear(channels, 1)

    def forward(self, f_rgb: Tensor, f_fused: Tensor, p_rgb: Tensor, p_fused: Tensor) -> Tensor:
        """Features (B, C2, h, w) and coarse logits (B, num_classes, h, w) -> ``P_cls``, (B,).

        ``P_cls`` is a logit: ``sigmoid(P_cls)`` above one half means pure vision.
        """
        predictions = [p.softmax(dim=1) for p in (p_rgb, p_fused)]
        x = torch.cat([f_rgb, f_fused, *predictions], dim=1)
        first: Any = self.convs[0]
        conv = first.conv
        x = F.conv2d(x, self._weight_of_one_repeat(), conv.bias, conv.stride, conv.padding)
        x = self.convs[1](first.activate(first.norm(x)))
        return self.linear(self.pool(x).flatten(1)).squeeze(1)

    def _weight_of_one_repeat(self) -> Tensor:
        """The first convolution on predictions that are not repeated: its weights add up."""
        first: Any = self.convs[0]
        weight = first.conv.weight
        of_features = weight.shape[1] - 2 * self.num_classes * self.repeats
        of_repeats = weight[:, of_features:].unflatten(1, (2, self.repeats, self.num_classes))
        return torch.cat([weight[:, :of_features], of_repeats.sum(dim=2).flatten(1, 2)], dim=1)
