import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmomni.registry import MODELS

from .criteria import refuse_pixel_weights


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
class EdgeCrossEntropy(nn.Module):
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
        super().__init__()
        if width < 3 or width % 2 == 0:
            raise ValueError(f'expected width as an odd number of pixels from 3, got {width}')
        self.width = width
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """Logits (B, 2, H, W) and labels (B, H, W) -> a scalar, 0 if all pixels are ignored."""
        refuse_pixel_weights(type(self).__name__, weight)
        losses = F.cross_entropy(
            cls_score.float(), label, ignore_index=ignore_index, reduction='none'
        )
        counted = (label != ignore_index).sum().clamp(min=1)
        return self.loss_weight * (losses * near_border(label, self.width)).sum() / counted
