import torch
from mmseg.models.utils import SELayer
from torch import Tensor, nn

from .folding import FoldingConvModule


class MBConv(nn.Module):
    """EfficientNet's block (Tan and Le, ICML 2019), with the names of mmseg's InvertedResidualV3.

    Expand 6, 3x3 depthwise, squeeze-excitation to a quarter of the input's channels, project, skip.

    Args:
        channels: Of input and output.
        norm_cfg: Norm layer.
    """

    def __init__(self, channels: int, norm_cfg: dict) -> None:
        super().__init__()
        expanded = 6 * channels
        swish, sigmoid = dict(type='SiLU'), dict(type='Sigmoid')
        self.expand_conv = FoldingConvModule(
            channels, expanded, 1, norm_cfg=norm_cfg, act_cfg=swish
        )
        self.depthwise_conv = FoldingConvModule(
            expanded, expanded, 3, padding=1, groups=expanded, norm_cfg=norm_cfg, act_cfg=swish
        )
        ratio = expanded // (channels // 4)
        self.se = SELayer(expanded, ratio=ratio, act_cfg=(swish, sigmoid))
        self.linear_conv = FoldingConvModule(
            expanded, channels, 1, norm_cfg=norm_cfg, act_cfg=None
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        y = self.depthwise_conv(self.expand_conv(x))
        excitation = self.se.conv2(self.se.conv1(self.se.global_avgpool(y)))
        # In place where no gradient needs what was: the map is six times as wide as the input.
        y = y * excitation if torch.is_grad_enabled() else y.mul_(excitation)
        return x + self.linear_conv(y)
