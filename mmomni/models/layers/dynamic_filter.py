import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmomni.models import fast


class DynamicFilter(nn.Module):
    """Dynamic Weight Filter: a depthwise filter chosen for each sample (paper, section 3.3).

    ``A = sigmoid(FC([V_c, V_g]))``, ``D_opt = sum_i A_i W_i``, depthwise convolution with
    ``D_opt``, then a 1x1 convolution (norm, ReLU).

    Args:
        channels: Of input and output.
        global_channels: Channels of ``V_g``.
        dilation: Of the 3x3 depthwise filter.
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
        self.pool = fast.GlobalAverage()
        self.attention = nn.Linear(channels + global_channels, num_filters) if dynamic else None
        self.pointwise = fast.FoldingConv(channels, channels, 1, norm_cfg=norm_cfg)

    def forward(self, x: Tensor, v_g: Tensor, v_c: Tensor | None = None) -> Tensor:
        """``x`` (B, C, H, W), ``V_g`` (B, Cg), ``V_c = Avg(x)`` where it is known -> as ``x``."""
        if self.attention is None:
            d_opt = self.filters.expand(len(x), -1, -1, -1)
        else:
            v_c = self.pool(x) if v_c is None else v_c
            a = self.attention(torch.cat([v_c.flatten(1), v_g], dim=1)).sigmoid()
            d_opt = torch.einsum('bi,icyx->bcyx', a, self.filters)
        return self.pointwise(filter_each(x, d_opt.to(x.dtype), self.dilation))


def filter_each(x: Tensor, filters: Tensor, dilation: int) -> Tensor:
    """Depthwise convolution of (B, C, H, W) with filters (B, C, 3, 3), each sample its own.

    The dilation is also the padding, which keeps the size.
    """
    if fast.chooses_kernels(x):
        return fast.filter_one_by_one(x, filters, dilation)
    batch, channels, height, width = x.shape
    filtered = F.conv2d(
        x.contiguous().view(1, batch * channels, height, width),
        filters.reshape(batch * channels, 1, 3, 3),
        padding=dilation,
        dilation=dilation,
        groups=batch * channels,
    )
    return filtered.view(x.shape)
