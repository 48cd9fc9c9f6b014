import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mmomni.registry import MODELS

from .criteria import Criterion


@MODELS.register_module()
class HardPixelCrossEntropy(Criterion):
    """Cross-entropy of the pixels that are not yet right: online hard example mining.

    Those whose true class has a probability below ``thresh``, and at least ``min_kept`` of all.
    mmseg's ``OhemCrossEntropy`` is the same, but no head with other losses can call it, and where
    all pixels are equally right it is NaN.

    Args:
        thresh: Probability of the true class.
        min_kept: Pixels of the batch (of this rank).
        loss_weight: Factor.
        loss_name: Name in the log; mmengine trains on all that have ``loss`` in it.

    Raises:
        ValueError: There is no such probability, or fewer than one pixel is to be kept.
    """

    def __init__(
        self,
        thresh: float = 0.7,
        min_kept: int = 100_000,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ohem',
    ) -> None:
        super().__init__(loss_weight, loss_name)
        if not 0 < thresh <= 1 or min_kept < 1:
            raise ValueError(
                f'expected thresh in (0, 1] and min_kept from 1, got {thresh} and {min_kept}'
            )
        self.limit = -math.log(thresh)
        self.min_kept = min_kept

    def measure(self, logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        """Logits (B, C, H, W) and labels (B, H, W) -> a scalar, 0 if all pixels are ignored."""
        losses = F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction='none')
        losses = losses.flatten()
        # No values are looked at on the way, for which a device would have to be waited for.
        counts = labels.flatten() != ignore_index
        hard = counts & (losses > self.limit)
        ranked = losses.masked_fill(~counts, -1.0)
        largest = torch.topk(ranked, min(self.min_kept, len(ranked)), sorted=False).values
        return torch.where(
            hard.sum() >= self.min_kept, _mean(losses, hard), _mean(largest, largest >= 0)
        )


def _mean(values: Tensor, counts: Tensor) -> Tensor:
    """Of those values that count; 0 if none does."""
    return (values * counts).sum() / counts.sum().clamp(min=1)
