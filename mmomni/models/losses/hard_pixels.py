import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmomni.registry import MODELS

from .criteria import refuse_pixel_weights


@MODELS.register_module()
class HardPixelCrossEntropy(nn.Module):
    """Cross-entropy of the pixels that are not yet right: online hard example mining.

    Those whose true class has a probability below ``thresh``, and at least ``min_kept`` of all.
    mmseg's ``OhemCrossEntropy`` is the same, but no head with other losses can call it, and where
    all pixels are equally right it is NaN.

    Args:
        thresh: Probability of the true class.
        min_kept: Pixels of the batch (of this rank).
        loss_weight: Factor.
        loss_name: Name in the log; mmengine trains on all that have ``loss`` in it.
    """

    def __init__(
        self,
        thresh: float = 0.7,
        min_kept: int = 100_000,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ohem',
    ) -> None:
        super().__init__()
        if not 0 < thresh <= 1 or min_kept < 1:
            raise ValueError(
                f'expected thresh in (0, 1] and min_kept from 1, got {thresh} and {min_kept}'
            )
        self.limit = -math.log(thresh)
        self.min_kept = min_kept
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """Logits (B, C, H, W) and labels (B, H, W) -> a scalar, 0 if all pixels are ignored."""
        refuse_pixel_weights(type(self).__name__, weight)
        losses = F.cross_entropy(
            cls_score.float(), label, ignore_index=ignore_index, reduction='none'
        )
        losses = losses[label != ignore_index]
        hard = losses[losses > self.limit]
        if len(hard) < self.min_kept:
            hard = torch.topk(losses, min(self.min_kept, len(losses)), sorted=False).values
        return self.loss_weight * hard.sum() / max(len(hard), 1)
