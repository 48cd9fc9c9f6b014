import math

import torch
from mmcv.cnn import ConvModule
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn

from .batch_norms import normalisation
from .convolution import convolve
from .switch import enabled


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
    """Kernel (C', C, k, k), bias (C',) and the norm that is still to be applied.

    Args:
        module: Convolution, norm and activation.
        pixels: Of the map that would pass the norm.
    """
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
