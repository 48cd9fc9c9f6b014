from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmomni.registry import MODELS

from .criteria import Criterion


@MODELS.register_module()
class WeightedCrossEntropy(Criterion):
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
        super().__init__(loss_weight, loss_name)
        if min(class_weight) < 0 or max(class_weight) == 0:
            raise ValueError(f'expected weights from 0, not all 0, got {tuple(class_weight)}')
        # not persistent: checkpoints stay those of the same model with another loss
        self.register_buffer('class_weight', torch.tensor(class_weight).float(), persistent=False)

    def measure(self, logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        """Logits (B, C, H, W) and labels (B, H, W) -> a scalar, 0 if all pixels are ignored.

        Raises:
            ValueError: The logits have another number of classes.
        """
        if logits.shape[1] != len(self.class_weight):
            raise ValueError(
                f'expected class_weight with {logits.shape[1]} weights, one for each class, '
                f'got {len(self.class_weight)}'
            )
        total = F.cross_entropy(
            logits, labels, self.class_weight, ignore_index=ignore_index, reduction='sum'
        )
        classes = torch.arange(len(self.class_weight), device=labels.device)
        pixels = (labels.flatten()[:, None] == classes).sum(dim=0)
        share = (pixels * self.class_weight).sum()
        return total / share.where(share > 0, torch.ones_like(share))
