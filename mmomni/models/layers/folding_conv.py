from typing import Any

from mmcv.cnn import ConvModule
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn

from .norms import normalisation


class FoldingConv(ConvModule):
    """mmcv's, with the norm in the kernel where the kernel is smaller than the map.

    A batch norm that learns no more is a factor and a summand for each channel. In the kernel they
    cost next to nothing, on a map of stride 4 a pass over memory.
    """

    def fold(self, pixels: int) -> tuple[Tensor, Tensor | None, nn.Module | None]:
        """Kernel, bias and the norm that is still to be applied.

        Args:
            pixels: Of the map, in all samples together.
        """
        conv, norm = self.conv, self.norm
        if not _is_fixed(norm) or pixels <= conv.weight[0].numel():
            return conv.weight, conv.bias, norm
        scale, shift = normalisation(norm, conv.bias)
        return conv.weight * scale.view(-1, 1, 1, 1), shift, None

    def finish(self, x: Tensor, norm: nn.Module | None) -> Tensor:
        """Norm, if one is left, and activation."""
        if norm is not None:
            x = norm(x)
        return self.activate(x) if self.with_activation else x

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        weight, bias, norm = self.fold(x[:, 0].numel())
        return self.finish(self.conv._conv_forward(x, weight, bias), norm)


def _is_fixed(norm: Any) -> bool:
    """Is it a batch norm that uses moving averages and has weights?"""
    return (
        isinstance(norm, _BatchNorm)
        and not norm.training
        and norm.affine
        and norm.running_mean is not None
    )
