import torch
import torch.nn.functional as F
from torch import Tensor

from mmomni.registry import MODELS

from .criteria import Criterion


def near_border(labels: Tensor, width: int) -> Tensor:
    """Pixels from which a cross of ``width`` pixels reaches tampered and authentic ones.

    Args:
        labels: (B, H, W): 1 tampered, 0 authentic, all else ignored.
        width: Odd.

    Returns:
        (B, H, W) bool.
    """
    reached = []
    for label in (1, 0):
        plane = (labels == label).float()[:, None]
        bars = [
            F.max_pool2d(plane, size, stride=1, padding=(size[0] // 2, size[1] // 2))
            for size in ((width, 1), (1, width))
        ]
        reached.append(torch.maximum(*bars)[:, 0] > 0)
    return reached[0] & reached[1]


@MODELS.register_module()
class EdgeCrossEntropy(Criterion):
    """Cross-entropy of the pixels around the border of tampered regions (IML-ViT's edge loss).

    A sum over these pixels, divided by the number of all pixels that are not ignored: next to
    nothing beside ordinary cross-entropy, hence the large factor.

    Args:
        width: Of the band, in pixels, odd: from a pixel, half as far in all four directions.
        loss_weight: Factor (the paper's lambda).
        loss_name: Name in the log; mmengine trains on all that have ``loss`` in it.

    Raises:
        ValueError: ``width`` is even, or less than 3.
    """

    def __init__(
        self, width: int = 7, loss_weight: float = 20.0, loss_name: str = 'loss_edge'
    ) -> None:
        super().__init__(loss_weight, loss_name)
        if width < 3 or width % 2 == 0:
            raise ValueError(f'expected width as an odd number of pixels from 3, got {width}')
        self.width = width

    def measure(self, logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        """Logits (B, 2, H, W) and labels (B, H, W) -> a scalar, 0 if all pixels are ignored."""
        losses = F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction='none')
        counted = (labels != ignore_index).sum().clamp(min=1)
        return (losses * near_border(labels, self.width)).sum() / counted
