import math
from collections.abc import Iterable, Sequence

from mmseg.models.utils import resize
from torch import Tensor

from mmomni.models.fast import convolve

from .folding_conv import FoldingConv


class ConcatConv(FoldingConv):
    """1x1 convolution, norm, activation of a concatenation that is never built.

    A 1x1 convolution of concatenated maps is the sum of one of each map, and it commutes with
    bilinear interpolation and with broadcasting: so smaller maps pass it at their own size.

    Args:
        part_channels: Channels of the maps.
        out_channels: Channels of the output.
        align_corners: Of the interpolation.
        norm_cfg: Norm layer.
        act_cfg: Activation.
    """

    def __init__(
        self,
        part_channels: Sequence[int],
        out_channels: int,
        align_corners: bool = False,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            sum(part_channels), out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg
        )
        self.part_channels = tuple(part_channels)
        self.align_corners = align_corners

    def forward(  # type: ignore[override]
        self, parts: Iterable[Tensor], size: Sequence[int]
    ) -> Tensor:
        """Maps (B, Ci, hi, wi) -> (B, C, h, w) of the given size; those of one pixel spread out."""
        size = tuple(size)
        weight, bias, norm = self.fold(math.prod(size))  # of one sample: that is enough to tell
        pairs = zip(parts, weight.split(self.part_channels, dim=1), strict=True)
        x = self._convolve(*next(pairs), size, bias)
        for part, part_weight in pairs:
            y = self._convolve(part, part_weight, size)
            # in place: nothing here keeps its output for the gradient
            x = x.add_(y) if x.shape[2:] == size else y.add_(x)
        if norm is not None:
            x = norm(x)
        return self.activate(x) if self.with_activation else x

    def _convolve(
        self, part: Tensor, weight: Tensor, size: Sequence[int], bias: Tensor | None = None
    ) -> Tensor:
        y = convolve(self.conv, part, weight, bias)
        if y.shape[2:] in (size, (1, 1)):
            return y
        return resize(y, size, mode='bilinear', align_corners=self.align_corners)
