"""The outline of tampered regions, for branches that learn to see it."""

import torch.nn.functional as F
from torch import Tensor

from .gate import IGNORE_INDEX


def edge_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Where tampered and authentic pixels meet, at another size.

    Args:
        labels: (B, H, W): 1 tampered, 0 authentic, 255 neither.
        size: Height and width of the result, H and W or less.

    Returns:
        (B, *size): 1 where the area of a pixel has one with both kinds among itself and its eight
        neighbours, 255 where it has ignored ones and no such pixel, 0 elsewhere.
    """
    kinds = [(labels == kind)[:, None].float() for kind in (0, 1)]
    near = [F.max_pool2d(kind, 3, stride=1, padding=1) for kind in kinds]
    edge = F.adaptive_max_pool2d(near[0] * near[1], size).squeeze(1).long()
    ignored = (labels == IGNORE_INDEX)[:, None].float()
    ignored = F.adaptive_max_pool2d(ignored, size).squeeze(1) > 0
    return edge.masked_fill(ignored & (edge == 0), IGNORE_INDEX)
