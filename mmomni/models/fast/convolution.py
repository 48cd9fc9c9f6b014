"""Convolutions by the faster of torch's libraries, and with their norms in the kernels."""

import math

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn

from .batch_norms import normalisation
from .switch import chooses_kernels, enabled, on_cpu

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
        if not enabled() or not on_cpu(x) or self.in_features >= _MANY_CHANNELS:
            return super().forward(x)
        kernel = self.weight[:, :, None, None]
        return pointwise(x.permute(0, 3, 1, 2), kernel, self.bias).permute(0, 2, 3, 1)


class FoldingConv(ConvModule):
    """mmcv's, with the norm in the kernel where that is less to multiply than the map.

    A batch norm that learns no more is a factor and a summand for each channel. In the kernel they
    cost next to nothing, on a map of stride 4 a pass over memory. mmcv's own
    ``efficient_conv_bn_eval`` folds at any size and cannot be fused for good afterwards.
    """

    def forward(self, x: Tensor, activate: bool = True, norm: bool = True) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        if not enabled() or not _is_plain(self):
            return super().forward(x, activate, norm)
        weight, bias, norm_left = self.conv.weight, self.conv.bias, None
        if norm and self.with_norm:
            pixels = x[:, 0].numel() // math.prod(self.conv.stride)
            weight, bias, norm_left = fold(self, pixels)
        x = convolve(self.conv, x, weight, bias)
        if norm_left is not None:
            x = norm_left(x)
        return self.activate(x) if activate and self.with_activation else x


def fold(module: ConvModule, pixels: int) -> tuple[Tensor, Tensor | None, nn.Module | None]:
    """Kernel (C', C, k, k), bias (C',) and the norm still to be applied to so many pixels."""
    conv, norm = module.conv, module.norm
    if not _can_fold(module) or pixels <= conv.weight[0].numel():
        return conv.weight, conv.bias, norm
    scale, shift = normalisation(norm, conv.bias)
    kernel = conv.weight * scale.view(-1, 1, 1, 1)
    return kernel.to(conv.weight), shift.to(conv.weight), None


def _can_fold(module: ConvModule) -> bool:
    """A plain convolution, then a batch norm with weights and averages that learns no more."""
    norm = module.norm
    return (
        isinstance(norm, _BatchNorm)
        and not norm.training
        and norm.affine
        and norm.running_mean is not None
        and _is_plain(module)
        and not torch.jit.is_tracing()  # sizes are tensors there, and exporters fuse
        and not _has_hooks(norm)
    )


def _is_plain(module: ConvModule) -> bool:
    """A convolution as torch's without hooks, then norm and activation."""
    return (
        type(module.conv) is nn.Conv2d
        and module.order == ('conv', 'norm', 'act')
        and not module.with_explicit_padding
        and not _has_hooks(module.conv)
    )


def _has_hooks(module: nn.Module) -> bool:
    """Of any of the kinds that only a call of the module sees."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )
