import torch
from torch import Tensor, nn

from .switch import enabled


class GlobalAverage(nn.AdaptiveAvgPool2d):
    """Mean over all pixels, whose gradient in single precision stays one value for each channel.

    ``nn.AdaptiveAvgPool2d(1)`` writes the same gradient into each pixel of a map of its own, which
    is not even in the layout of the maps that it is added to. A subclass of it, because tiling and
    export look for that class.
    """

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 1, 1)."""
        if not enabled() or x.dtype in (torch.float16, torch.bfloat16):
            return super().forward(x)  # of half precision a sum might overflow
        return x.sum(dim=(2, 3), keepdim=True) / (x.shape[2] * x.shape[3])
