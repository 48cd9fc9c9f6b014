from collections.abc import Sequence

import torch
from torch import Tensor, nn


def add_coordinates(
    x: Tensor, size: Sequence[int] | None = None, start: Sequence[int] = (0, 0)
) -> Tensor:
    """Append three planes: x and y in [-1, 1] and a radius, as DTD writes it.

    The radius is ``sqrt((x - .5)^2 + (y - .5)^2)`` (not centred: that is DTD's formula).

    Args:
        x: (B, C, H, W).
        size: Height and width of the whole, where ``x`` is a window of it.
        start: Row and column in the whole at which that window starts.

    Returns:
        (B, C + 3, H, W).
    """
    batch, _, *window = x.shape
    ys, xs = (
        torch.linspace(-1, 1, whole, dtype=x.dtype, device=x.device)[first : first + length]
        for whole, first, length in zip(size or window, start, window, strict=True)
    )
    ys, xs = ys.view(1, 1, -1, 1), xs.view(1, 1, 1, -1)
    radius = ((xs - 0.5) ** 2 + (ys - 0.5) ** 2).sqrt()
    planes = (plane.expand(batch, 1, *window) for plane in (xs, ys, radius))
    return torch.cat([x, *planes], dim=1)


class Coordinates(nn.Module):
    """:func:`add_coordinates` as a module, which can be told where a window of an image lies."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C + 3, H, W)."""
        return add_coordinates(x)
