from typing import Any

from mmseg.models.utils import SELayer
from torch import Tensor, nn

from mmomni.models import fast


class MBConv(nn.Module):
    """EfficientNet's block: expand 6, 3x3 depthwise, SE 0.25 of the input's channels, skip.

    Tan and Le, ICML 2019. mmseg's ``InvertedResidualV3`` with the same parameters, whose norms fold
    into its kernels.
    """

    def __init__(self, channels: int, norm_cfg: dict) -> None:
        super().__init__()
        swish, sigmoid = dict(type='SiLU'), dict(type='Sigmoid')
        expanded = 6 * channels
        self.expand_conv = fast.FoldingConv(channels, expanded, 1, norm_cfg=norm_cfg, act_cfg=swish)
        self.depthwise_conv = fast.FoldingConv(
            expanded, expanded, 3, padding=1, groups=expanded, norm_cfg=norm_cfg, act_cfg=swish
        )
        self.se = SqueezeExcitation(
            expanded, ratio=expanded // (channels // 4), act_cfg=(swish, sigmoid)
        )
        self.linear_conv = fast.FoldingConv(expanded, channels, 1, norm_cfg=norm_cfg, act_cfg=None)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        return x + self.linear_conv(self.se(self.depthwise_conv(self.expand_conv(x))))


class SqueezeExcitation(SELayer):
    """mmseg's, by :class:`fast.GlobalAverage` and :func:`fast.scale`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.global_avgpool = fast.GlobalAverage()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same, each channel weighed."""
        return fast.scale(x, self.conv2(self.conv1(self.global_avgpool(x))))
