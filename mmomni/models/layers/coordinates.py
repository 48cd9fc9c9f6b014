import torch
from torch import Tensor


def add_coordinates(x: Tensor) -> Tensor:
    """Append three planes: x and y in [-1, 1] and a radius, as DTD writes it.

    The radius is ``sqrt((x - .5)^2 + (y - .5)^2)`` (not centred: that is DTD's formula).

    Args:
        x: (B, C, H, W).

    Returns:
        (B, C + 3, H, W).
    """
    batch, _, height, width = x.shape
    ys = torch.linspace(-1, 1, height, dtype=x.dtype, device=x.device).view(1, 1, -1, 1)
    xs = torch.linspace(-1, 1, width, dtype=x.dtype, device=x.device).view(1, 1, 1, -1)
    radius = ((xs - 0.5) ** 2 + (ys - 0.5) ** 2).sqrt()
    planes = (plane.expand(batch, 1, height, width) for plane in (xs, ys, radius))
    return torch.cat([x, *planes], dim=1)
