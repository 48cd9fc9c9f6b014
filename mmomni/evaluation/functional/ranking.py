"""Scores of a ranking: area under the ROC curve, average precision, best threshold.

All start from the same two vectors, the numbers of positives and negatives at each score, highest
score first. Either they are exact (:func:`score_groups`: equal scores form one group, so ties cost
half in the AUC and no order among them is invented), or a histogram of fixed size
(:func:`score_histogram`), whose sum over images is the histogram of the whole set. They come from
``scores`` (N,), higher = more probably positive, and ``labels`` (N,) bool, True = positive.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .pixel import PixelCounts

Groups = tuple[Tensor, Tensor]
"""Positives and negatives at each score, highest first; (K,) each, int64."""


def score_groups(scores: Tensor, labels: Tensor) -> Groups:
    """Count positives and negatives at each distinct score.

    Raises:
        ValueError: A score is NaN.
    """
    if scores.isnan().any():
        raise ValueError(
            f'{int(scores.isnan().sum())} of {scores.numel()} scores are NaN, which have no rank; '
            'did the training diverge?'
        )
    values, group = torch.unique(scores, return_inverse=True)
    return _count(group, labels, len(values))


def score_histogram(scores: Tensor, labels: Tensor, bins: int) -> Groups:
    """Count positives and negatives in ``bins`` equal intervals of [0, 1].

    Memory does not depend on the number of scores. Scores of one bin count as equal: the AUC is
    off by at most half the share of (positive, negative) pairs that share a bin.

    Raises:
        ValueError: A score is outside of [0, 1], or NaN.
    """
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError('a histogram needs scores in [0, 1]; give probabilities, not logits')
    return _count((scores * bins).long().clamp(max=bins - 1), labels, bins)


def _count(group: Tensor, labels: Tensor, length: int) -> Groups:
    positives = torch.bincount(group[labels], minlength=length)
    negatives = torch.bincount(group[~labels], minlength=length)
    return positives.flip(0), negatives.flip(0)


def roc_auc(positives: Tensor, negatives: Tensor) -> float:
    """Area under the ROC curve by trapezoids; NaN unless there are positives and negatives.

    It is the probability that a random positive has a higher score than a random negative, with
    1/2 for equal scores.
    """
    positives, negatives = positives.double(), negatives.double()
    pairs = positives.sum() * negatives.sum()
    above = positives.cumsum(0) - positives / 2
    return float((negatives * above).sum() / pairs)


def average_precision(positives: Tensor, negatives: Tensor) -> float:
    """``sum_k (R_k - R_(k-1)) P_k`` over the distinct scores; NaN without positives."""
    hits = positives.double().cumsum(0)
    precision = hits / (hits + negatives.cumsum(0)).clamp(min=1)
    return float((positives * precision).sum() / positives.sum())


def best_counts(positives: Tensor, negatives: Tensor) -> PixelCounts:
    """The counts at the threshold with the highest F1, ``2 I / (P + G)``.

    A prediction is everything at and above some score, or nothing; the highest of equally good
    thresholds is taken.
    """
    intersection = F.pad(positives.cumsum(0), (1, 0))
    predicted = intersection + F.pad(negatives.cumsum(0), (1, 0))
    tampered = int(positives.sum())
    scored = tampered + int(negatives.sum())
    # Where nothing is positive and nothing predicted, 0 / 1 stands for 0 / 0.
    best = int((intersection.double() / (predicted + tampered).clamp(min=1)).argmax())
    return PixelCounts(int(intersection[best]), int(predicted[best]), tampered, scored)
