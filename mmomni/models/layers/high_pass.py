import torch
import torch.nn.functional as F
from torch import Tensor, nn

LIMIT = 3.0
"""Residuals beyond it are cut off: they are edges of what is shown, not noise."""


class HighPass(nn.Module):
    """Three planes of noise: what three linear predictors of a grey value leave over.

    The kernels are the three of the 30 of the Spatial Rich Model (Fridrich and Kodovsky, TIFS 2012)
    that Zhou et al. ("Learning Rich Features for Image Manipulation Detection", CVPR 2018) chose:
    3x3 and 5x5 square, and second order along a row. They are divided by 4, 12 and 2, and see the
    mean of R, G and B with its border repeated.
    """

    planes = 3
    kernels: Tensor
    divisors: Tensor

    def __init__(self) -> None:
        super().__init__()
        square3 = [[0, 0, 0, 0, 0], [0, -1, 2, -1, 0], [0, 2, -4, 2, 0]]
        square5 = [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2]]
        second = [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, -2, 1, 0]]
        upper = torch.tensor([square3, square5, second], dtype=torch.float32)
        kernels = torch.cat([upper, upper[:, :2].flip(1)], dim=1)[:, None]
        self.register_buffer('kernels', kernels, persistent=False)
        divisors = 3 * torch.tensor([4.0, 12.0, 2.0]).view(3, 1, 1)
        self.register_buffer('divisors', divisors, persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """R, G and B (B, 3, H, W), 0..255 -> (B, 3, H, W), -3..3, in grey levels."""
        # Whole numbers up to the division, which half precision would have no digits for.
        with torch.autocast(rgb.device.type, enabled=False):
            planes = rgb.to(torch.promote_types(rgb.dtype, torch.float32))
            grey = F.pad(planes.sum(1, keepdim=True), (2, 2, 2, 2), mode='replicate')
            residuals = F.conv2d(grey, self.kernels.to(grey)) / self.divisors.to(grey)
        return residuals.clamp(-LIMIT, LIMIT).to(rgb.dtype)
