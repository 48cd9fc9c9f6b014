import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn


class DynamicFilter(nn.Module):
    """Dynamic Weight Filter: a depthwise filter chosen for each sample.

    Paper, section 3.3.

    ``A = sigmoid(FC([V_c, V_g]))``, ``D_opt = sum_i A_i W_i``, depthwise convolution with
    ``D_opt``, then a 1x1 convolution (norm, ReLU).

    Args:
        channels: Channels of input and output.
        global_channels: Channels of ``V_g``.
        dilation: Of the 3x3 depthwise filter.
        norm_cfg: Norm layer.
        num_filters: Filters to choose from.
        dynamic: ``False`` is the paper's ablation *w.o. DW*: one filter, the same for every input.
    """

    def __init__(
        self,
        channels: int,
        global_channels: int,
        dilation: int,
        norm_cfg: dict,
        num_filters: int = 4,
        dynamic: bool = True,
    ) -> None:
        super().__init__()
        self.dilation = dilation
        self.filters = nn.Parameter(torch.empty(num_filters if dynamic else 1, channels, 3, 3))
        nn.init.kaiming_uniform_(self.filters.view(-1, 1, 3, 3), nonlinearity='linear')
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.attention = nn.Linear(channels + global_channels, num_filters) if dynamic else None
        self.pointwise = ConvModule(channels, channels, 1, norm_cfg=norm_cfg)

    def forward(self, x: Tensor, v_g: Tensor) -> Tensor:
        """``x`` (B, C, H, W) and ``V_g`` (B, Cg) -> (B, C, H, W)."""
        batch, channels, height, width = x.shape
        if self.attention is None:
            d_opt = self.filters.expand(batch, -1, -1, -1)
        else:
            v_c = self.pool(x).flatten(1)
            a = self.attention(torch.cat([v_c, v_g], dim=1)).sigmoid()
            d_opt = torch.einsum('bi,icyx->bcyx', a, self.filters)
        # One grouped convolution serves the whole batch: each sample brings its own filters.
        filtered = F.conv2d(
            x.reshape(1, batch * channels, height, width),
            d_opt.reshape(batch * channels, 1, 3, 3).to(x.dtype),
            padding=self.dilation,
            dilation=self.dilation,
            groups=batch * channels,
        )
        return self.pointwise(filtered.view(batch, channels, height, width))
