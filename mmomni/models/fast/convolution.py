"""Convolutions on a CPU by the faster of torch's libraries."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SMALL = 20480
"""Values up to which torch leaves no single sample to oneDNN, but to kernels that are slow where
there is dilation."""


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
        x.device.type == 'cpu'
        and x.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and torch._C._get_mkldnn_enabled()  # what mkldnn.flags sets
        and not _autocasts()
        and torch.get_num_threads() == 1
        and not torch.jit.is_tracing()
        and (x.shape[0] > 1 or x.numel() > _SMALL)
    )


def _autocasts() -> bool:
    """Whether torch will change the precision, on a CPU."""
    try:
        return torch.is_autocast_enabled('cpu')
    except TypeError:  # torch before 2.4
        return torch.is_autocast_cpu_enabled()
