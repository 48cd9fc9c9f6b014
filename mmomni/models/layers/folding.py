from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn


class FoldingConvModule(ConvModule):
    """``ConvModule`` whose batch norm is part of the convolution while it does not learn.

    In evaluation a map is then written once instead of twice. (mmcv's own
    ``efficient_conv_bn_eval`` fails under ``torch.compile`` and after ``fuse_conv_bn``.)
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> convolution, norm, activation."""
        weight, bias, norm = fold(self)
        x = self.conv._conv_forward(x, weight, bias)
        if norm is not None:
            x = norm(x)
        return self.activate(x) if self.with_activation else x


def fold(module: ConvModule) -> tuple[Tensor, Tensor | None, nn.Module | None]:
    """Weight and bias of a convolution with its norm in them, and the norm if it must stay.

    It stays if it learns from the batch or is no affine batch norm with moving averages.
    """
    weight, bias = module.conv.weight, module.conv.bias
    norm = module.norm if module.with_norm else None
    if not is_fixed(norm):
        return weight, bias, norm
    scale, shift = scale_and_shift(norm, bias)
    return weight * scale.view(-1, *[1] * (weight.dim() - 1)), shift, None


def is_fixed(norm: nn.Module | None) -> bool:
    """Whether it does the same to every batch: a scale and a shift of each channel."""
    return (
        isinstance(norm, _BatchNorm)
        and not norm.training
        and bool(norm.affine and norm.track_running_stats)
    )


def scale_and_shift(norm: Any, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """A batch norm that does not learn from the batch, after a convolution without its bias.

    Args:
        norm: Batch norm, or ``nn.Identity`` after :func:`mmcv.cnn.fuse_conv_bn`.
        bias: Of the convolution, which is still to be added.
    """
    if isinstance(norm, nn.Identity):
        if bias is None:
            raise ValueError('expected a bias in a convolution that its norm was fused into')
        return torch.ones_like(bias), bias
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - (norm.running_mean - (0 if bias is None else bias)) * scale
