"""Is this image forged? A probability map as one score, and the scores of a set of images."""

import math

import torch
from torch import Tensor

from .ranking import average_precision, roc_auc, score_groups

IMAGE_POOLINGS = ('max', 'top_k_mean')
TOP_K = 0.01
"""Share of the pixels that ``'top_k_mean'`` looks at."""


def image_score(probability: Tensor, pooling: str, top_k: float = TOP_K) -> float:
    """Pool the probability of "tampered", (H, W), into the score of an image, in [0, 1].

    Args:
        probability: Of each pixel.
        pooling: ``'max'``, or ``'top_k_mean'``, the mean of the highest pixels.
        top_k: Their share of all pixels, in (0, 1]; at least one pixel.

    Raises:
        ValueError: Another pooling, or probabilities that are no numbers.
    """
    if pooling == 'max':
        score = float(probability.max())
    elif pooling == 'top_k_mean':
        count = max(1, round(top_k * probability.numel()))
        score = float(probability.flatten().topk(count).values.double().mean())
    else:
        raise ValueError(f'expected pooling to be one of {IMAGE_POOLINGS}, got {pooling!r}')
    if math.isnan(score):
        raise ValueError(
            'expected probabilities in [0, 1], got NaN; did the training of this checkpoint '
            'diverge? Look at its losses, and take an earlier one'
        )
    return score


def image_level_scores(scores: Tensor, labels: Tensor, threshold: float) -> dict[str, float]:
    """Scores of the verdict "forged" on a set of images; what is undefined is NaN.

    AUC and balanced accuracy need forged and authentic images, AP and TPR forged ones, FPR
    authentic ones; F1 is ``2 TP / (2 TP + FP + FN)``. Scores are (N,), one an image, labels (N,)
    bool, True = forged. Images with a score above the threshold are called forged.
    """
    groups = score_groups(scores, labels)
    called = scores > threshold
    tp, fp = int((called & labels).sum()), int((called & ~labels).sum())
    fn, tn = int((~called & labels).sum()), int((~called & ~labels).sum())
    tpr, fpr = _share(tp, tp + fn), _share(fp, fp + tn)
    return {
        'AUC': roc_auc(*groups),
        'AP': average_precision(*groups),
        'F1': _share(2 * tp, 2 * tp + fp + fn),
        'accuracy': _share(tp + tn, len(labels)),
        'balanced_accuracy': (tpr + 1 - fpr) / 2,
        'TPR': tpr,
        'FPR': fpr,
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else torch.nan
