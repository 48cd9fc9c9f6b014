"""Convolutions on a CPU by the faster of torch's libraries."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .switch import chooses_kernels, enabled

_SMALL = 20480
"""Values up to which torch leaves no single sample to oneDNN, but to kernels that are slow where
there is dilation."""
_MANY_CHANNELS = 4096
"""Input channels from which on the matrix product is faster: with two threads and AVX2, 4,096 to
1,024 channels take 50 ms as a convolution of 16 x 16 pixels and 20 as a product. With 3,072
channels or 32 x 32 pixels both take the same."""


def convolve(conv: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What ``conv`` does, with this kernel and bias; (B, C, H, W) -> (B, C', H', W')."""
    if conv.kernel_size == conv.stride == (1, 1) and conv.groups == 1 and conv.padding == (0, 0):
        return pointwise(x, weight, bias)
    return conv._conv_forward(x, weight, bias)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """1x1 convolution, kernel (C', C, 1, 1); (B, C, H, W) -> (B, C', H, W).

    On one thread and for fewer than 16 samples, torch takes matrix products of its BLAS library.
    They take 2.3 times as long as oneDNN's convolutions, measured on an AMD CPU with AVX-512 only.
    To these torch leaves dilated ones: and a kernel of one tap has nothing to dilate.
    """
    return F.conv2d(x, weight, bias, dilation=2 if _needs_telling(x) else 1)


def _needs_telling(x: Tensor) -> bool:
    return (
        chooses_kernels(x)
        and x.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and torch._C._get_mkldnn_enabled()  # what mkldnn.flags sets
        and not _autocasts()
        and torch.get_num_threads() == 1
        and (x.shape[0] > 1 or x.numel() > _SMALL)
    )


def _autocasts() -> bool:
    """Whether torch will change the precision, on a CPU."""
    try:
        return torch.is_autocast_enabled('cpu')
    except TypeError:  # torch before 2.4
        return torch.is_autocast_cpu_enabled()


class PointwiseLinear(nn.Linear):
    """Linear layer over the last dimension of (B, H, W, C).

    On a CPU it is oneDNN's 1x1 convolution, which takes up to 15 % less time than the matrix
    product of the BLAS library, unless there are very many channels.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C')."""
        if not enabled() or x.device.type != 'cpu' or self.in_features >= _MANY_CHANNELS:
            return super().forward(x)
        kernel = self.weight[:, :, None, None]
        return pointwise(x.permute(0, 3, 1, 2), kernel, self.bias).permute(0, 2, 3, 1)
