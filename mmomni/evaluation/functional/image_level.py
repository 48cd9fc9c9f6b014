"""Is this image forged? The scores of a set of images."""

import torch
from torch import Tensor

from .. import image_score as of_arrays  # noqa: TID252  (no name of OpenMMLab, nor of ours)
from .ranking import average_precision, roc_auc, score_groups


def image_score(probability: Tensor, pooling: str, top_k: float = of_arrays.TOP_K) -> float:
    """:func:`mmomni.evaluation.image_score.image_score` of a tensor (H, W) on any device."""
    return of_arrays.image_score(probability.detach().cpu().numpy(), pooling, top_k)


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
