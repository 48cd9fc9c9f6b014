from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmomni.registry import MODELS

from .criteria import refuse_pixel_weights


@MODELS.register_module()
class WeightedCrossEntropy(nn.Module):
    """Cross-entropy with a weight for each class, as torch defines it: a weighted mean.

    mmseg's ``CrossEntropyLoss(class_weight=...)`` ends with an ``IndexError`` as soon as pixels
    are ignored: in 1.2 always, in 1.4 with ``avg_non_ignore=True``.

    Args:
        class_weight: Weights of the classes authentic and tampered, not negative.
        loss_weight: Factor.
        loss_name: Name in the log; mmengine trains on all that have ``loss`` in it.

    Raises:
        ValueError: A weight is negative, or all are 0.
    """

    class_weight: Tensor

    def __init__(
        self, class_weight: Sequence[float], loss_weight: float = 1.0, loss_name: str = 'loss_ce'
    ) -> None:
        super().__init__()
        if min(class_weight) < 0 or max(class_weight) == 0:
            raise ValueError(f'expected weights from 0, not all 0, got {tuple(class_weight)}')
        # not persistent: checkpoints stay those of the same model with another loss
        self.register_buffer('class_weight', torch.tensor(class_weight).float(), persistent=False)
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """Logits (B, C, H, W) and labels (B, H, W) -> a scalar, 0 if all pixels are ignored.

        Raises:
            ValueError: The logits have another number of classes.
        """
        refuse_pixel_weights(type(self).__name__, weight)
        if cls_score.shape[1] != len(self.class_weight):
            raise ValueError(
                f'expected class_weight with {cls_score.shape[1]} weights, one for each class, '
                f'got {len(self.class_weight)}'
            )
        total = F.cross_entropy(
            cls_score.float(), label, self.class_weight, ignore_index=ignore_index, reduction='sum'
        )
        classes = torch.arange(len(self.class_weight), device=label.device)
        pixels = (label.flatten()[:, None] == classes).sum(dim=0)
        share = (pixels * self.class_weight).sum()
        return self.loss_weight * total / share.where(share > 0, torch.ones_like(share))
