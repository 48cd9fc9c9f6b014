import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmomni.models import fast


class ModalGate(nn.Module):
    """Which modality serves this sample better (paper, section 3.1 and figure 3)?

    ``F_cat = concat(F_rgb, F_fused, repeat(P_rgb), repeat(P_fused))``, several conv layers,
    global average pool, linear. The predictions enter as probabilities, repeated to as many
    channels as one feature map has, so that each of the four parts has equal room.

    Args:
        channels: ``C2``, channels of ``F_rgb`` and of ``F_fused``.
        num_classes: Channels of each coarse prediction.
    """

    def __init__(self, channels: int, num_classes: int, norm_cfg: dict) -> None:
        super().__init__()
        self.repeats = max(1, channels // num_classes)
        in_channels = 2 * channels + 2 * num_classes * self.repeats
        self.convs = nn.Sequential(
            ConvModule(in_channels, channels, 3, stride=2, padding=1, norm_cfg=norm_cfg),
            ConvModule(channels, channels, 3, stride=2, padding=1, norm_cfg=norm_cfg),
        )
        self.pool = fast.GlobalAverage()
        self.linear = nn.Linear(channels, 1)

    def forward(self, f_rgb: Tensor, f_fused: Tensor, p_rgb: Tensor, p_fused: Tensor) -> Tensor:
        """Features (B, C2, h, w) and coarse logits (B, num_classes, h, w) -> ``P_cls``, (B,).

        ``P_cls`` is a logit: ``sigmoid(P_cls)`` above one half means pure vision.
        """
        features, predictions = [f_rgb, f_fused], [p.softmax(dim=1) for p in (p_rgb, p_fused)]
        first, second = self.convs
        if fast.enabled():
            x = fast.convolve_repeats(first, features, predictions, self.repeats)
        else:
            repeated = [p.repeat(1, self.repeats, 1, 1) for p in predictions]
            x = first(torch.cat([*features, *repeated], dim=1))
        return self.linear(self.pool(second(x)).flatten(1)).squeeze(1)
