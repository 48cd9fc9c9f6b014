import torch
from torch import Tensor, nn


class GlobalAverage(nn.AdaptiveAvgPool2d):
    """Mean over all pixels, whose gradient stays one value for each channel.

    ``nn.AdaptiveAvgPool2d(1)`` writes the same gradient into each pixel of a map of its own, which
    is not even in the layout of the maps that it is added to.
    """

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 1, 1)."""
        # A sum of half precision might overflow.
        single = torch.promote_types(x.dtype, torch.float32)
        total = x.sum(dim=(2, 3), keepdim=True, dtype=single)
        return (total / (x.shape[2] * x.shape[3])).to(x.dtype)
