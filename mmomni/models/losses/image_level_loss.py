import torch
import torch.nn.functional as F
from torch import Tensor

from mmomni.registry import MODELS

from .criteria import Criterion


@MODELS.register_module()
class ImageLevelLoss(Criterion):
    """Cross-entropy of "this image is tampered", whose probability is that of its surest pixel.

    ``loss_clf`` of MVSS-Net (Chen et al., ICCV 2021, section 3.3): authentic images teach by it
    alone, where the others of their losses have no tampered region to measure.

    Args:
        loss_weight: Factor.
        loss_name: Name in the log; mmengine trains on all that have ``loss`` in it.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_image') -> None:
        super().__init__(loss_weight, loss_name)

    def measure(self, logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        """Logits (B, 2, H, W) and labels (B, H, W) -> a scalar, 0 where nothing counts."""
        ignored = labels == ignore_index
        odds = (logits[:, 1] - logits[:, 0]).flatten(1)
        surest = odds.masked_fill(ignored.flatten(1), -torch.inf).amax(dim=1)
        seen = ~ignored.flatten(1).all(dim=1)
        tampered = (labels == 1).flatten(1).any(dim=1).float()
        losses = F.binary_cross_entropy_with_logits(
            surest.where(seen, torch.zeros_like(surest)), tampered, seen.float(), reduction='sum'
        )
        return losses / seen.sum().clamp(min=1)
