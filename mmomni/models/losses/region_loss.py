import torch
from torch import Tensor

from mmomni.registry import MODELS

from .criteria import Criterion

POOLS = ('batch', 'sample')


def tversky_losses(
    probability: Tensor,
    labels: Tensor,
    alpha: float,
    beta: float,
    ignore_index: int = 255,
    empty: float = 0.0,
    exponent: int = 1,
) -> tuple[Tensor, Tensor]:
    """``1 - TP / (TP + alpha FP + beta FN)`` of the tampered class, row by row.

    ``TP``, ``FP`` and ``FN`` are sums of probabilities. Nothing is added to avoid 0 / 0: a row
    without a tampered pixel has no such quotient, and is left out or given one by ``empty``.

    Args:
        probability: (N, P), probability of "tampered" of P pixels.
        labels: (N, P): 1 tampered, 0 authentic.
        alpha: What a false positive costs.
        beta: What a false negative costs.
        ignore_index: Label of pixels that are not counted.
        empty: ``TP`` of rows without a tampered pixel, as a share of their pixels; 0: they are left
            out.
        exponent: Of what a pixel lacks: a probability ``p`` is ``p ** exponent`` false positives,
            or ``(1 - p) ** exponent`` false negatives.

    Returns:
        (N,) the losses, 0 where a row is left out, and (N,) bool, True where it counts.
    """
    tampered = (labels == 1).to(probability)
    authentic = ((labels != 1) & (labels != ignore_index)).to(probability)
    true_positive = (probability * tampered).sum(dim=1)
    false_positive = (probability**exponent * authentic).sum(dim=1)
    false_negative = ((1 - probability) ** exponent * tampered).sum(dim=1)
    total = tampered.sum(dim=1)
    errors = alpha * false_positive + beta * false_negative
    true_positive = true_positive.where(total > 0, empty * authentic.sum(dim=1))
    counts = (total > 0) | (true_positive > 0)
    quotient = errors / (true_positive + errors).where(counts, torch.ones_like(errors))
    return quotient * counts, counts


@MODELS.register_module()
class RegionLoss(Criterion):
    """Dice and its relatives on the tampered class alone, beside cross-entropy.

    Tampered pixels are few, so that cross-entropy learns probabilities far below 0.5 for them.
    A ratio of areas does not depend on how many authentic pixels are right. mmseg's ``DiceLoss``
    counts ignored pixels as predicted, and the class of authentic pixels together with the other.

    Args:
        alpha: What a false positive costs. ``alpha = beta = 0.5`` is Dice, ``1, 1`` the IoU.
        beta: What a false negative costs; above ``alpha``, more pixels are called tampered
            (Tversky loss, https://arxiv.org/abs/1706.05721).
        pool: ``'batch'``: one ratio over all pixels of the batch (of this rank), in which samples
            without tampering count by their false positives. ``'sample'``: the mean of the ratios
            of samples, however small their regions.
        empty: What samples without tampering count as in ``pool='sample'``: as if this share of
            their pixels were tampered and found, so that false positives of that area cost
            ``alpha / (1 + alpha)``, a third for Dice. 0: they are left out, and cross-entropy alone
            holds false alarms down.
        exponent: 1, or 2 for Dice with squared sums below the line, ``1 - 2 sum(p g) / (sum(p^2) +
            sum(g^2))`` (V-Net, https://arxiv.org/abs/1606.04797), which cares less for pixels that
            are nearly right.
        loss_weight: Factor.
        loss_name: Name in the log; mmengine trains on all that have ``loss`` in it.

    Raises:
        ValueError: There is no such pool, or costs are not positive.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        pool: str = 'batch',
        empty: float = 0.0,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_region',
        exponent: int = 1,
    ) -> None:
        super().__init__(loss_weight, loss_name)
        if pool not in POOLS:
            raise ValueError(f'expected pool to be one of {POOLS}, got {pool!r}')
        if not (alpha > 0 and beta > 0):
            raise ValueError(f'expected positive alpha and beta, got {alpha} and {beta}')
        if not 0 <= empty <= 1:
            raise ValueError(f'expected empty in [0, 1], got {empty}')
        if empty and pool == 'batch':
            raise ValueError(f"empty={empty} is for pool='sample', in a batch all samples are one")
        if exponent not in (1, 2):
            raise ValueError(f'expected exponent to be 1 or 2, got {exponent}')
        self.alpha = alpha
        self.beta = beta
        self.pool = pool
        self.empty = empty
        self.exponent = exponent

    def measure(self, logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        """Logits (B, 2, H, W) and labels (B, H, W) -> a scalar, 0 where nothing counts."""
        rows = 1 if self.pool == 'batch' else len(labels)
        probability = logits.softmax(dim=1)[:, 1].reshape(rows, -1)
        losses, counts = tversky_losses(
            probability, labels.reshape(rows, -1), self.alpha, self.beta, ignore_index, self.empty,
            self.exponent,
        )  # fmt: skip
        return losses.sum() / counts.sum().clamp(min=1)
