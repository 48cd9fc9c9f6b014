import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch

from mmomni.evaluation.functional import (
    PixelCounts,
    per_image_scores,
    roc_auc,
    score_groups,
    threshold_counts,
)
from mmomni.registry import METRICS

from .grouped_metric import GroupedMetric, mean_of_defined, tampered_probability

THRESHOLDS = tuple(k / 20 for k in range(1, 20))
"""0.05, 0.1, ..., 0.95: the thresholds of which the best fixed one is found."""
USUAL = THRESHOLDS.index(0.5)
CURVES = ('IoU', 'F1', 'false_area')
"""Scores that depend on the threshold."""


@METRICS.register_module()
class SelectionMetric(GroupedMetric):
    """What models and checkpoints are chosen by: scores that do not hide behind a threshold.

    - ``IoU``, ``F1``: means over tampered images at 0.5, by the arithmetic of protocol
      ``per_image``.
    - ``IoU_fixed``, ``F1_fixed``: the same at ``threshold``, that of 0.05, 0.1, ..., 0.95 with
      the highest ``average/IoU`` of everything evaluated, one for all. Far above ``IoU``: the
      network ranks pixels well and is under- or overconfident.
    - ``AUC``: mean pixel AUC of tampered images.
    - ``false_area``, ``false_area_fixed``: mean share of the pixels of authentic images that are
      called tampered, at both thresholds.

    A domain is the mean of its datasets and ``average`` the mean of the domains, each of those
    that define the score: authentic sets have a ``false_area`` alone. What nothing defines is NaN.
    Of an image a few numbers are kept, whatever its size.

    Keys: ``selection/datasets/<domain>/<name>/<score>``, ``selection/domains/<domain>/<score>``,
    ``selection/average/<score>``, with counts of tampered, authentic and unreadable images. So
    ``CheckpointHook(save_best='selection/average/IoU', rule='greater')`` keeps the best checkpoint,
    and so does ``save_best='auto'`` by the first key, ``selection/mIoU``, the same number.

    Args:
        ignore_index: Ground-truth value that is not counted.
        collect_device: ``'cpu'`` or ``'gpu'``, see :class:`mmengine.evaluator.BaseMetric`.
        prefix: Prefix of all keys; default: ``'selection'``.

    Raises:
        ValueError: Samples have no logits of two channels; or these are NaN.
    """

    default_prefix = 'selection'
    skips_undefined = True
    headline = ('IoU',)
    _fixed = USUAL

    def score_sample(self, sample: dict) -> dict[str, Any]:
        """Scores of one image, a list for each of ``CURVES`` over the thresholds."""
        target = sample['gt_sem_seg']['data'].squeeze(0)
        probability = tampered_probability(sample).to(target.device)
        counts = threshold_counts(probability, target, torch.tensor(THRESHOLDS), self.ignore_index)
        if not counts[0].tampered:
            return {'is_tampered': False, 'false_area': [_predicted_share(c) for c in counts]}
        scores = [per_image_scores(each) for each in counts]
        valid = target != self.ignore_index
        return {
            'is_tampered': True,
            'IoU': [each['IoU'] for each in scores],
            'F1': [each['F1'] for each in scores],
            # NaN where all is tampered
            'AUC': roc_auc(*score_groups(probability[valid], target[valid] == 1)),
        }

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Find the best threshold, then score the entries of all ranks and print one table."""
        averages = [self._average_iou(results, k) for k in range(len(THRESHOLDS))]
        defined = [k for k, value in enumerate(averages) if not math.isnan(value)]
        # Of equally good ones that nearest to 0.5, which it is where there is nothing to choose by.
        self._fixed = max(defined, key=lambda k: (averages[k], -abs(k - USUAL), k), default=USUAL)
        return super().compute_metrics(results)

    def score_dataset(self, entries: Sequence[dict]) -> dict[str, float]:
        """Means over the images that have the score."""
        at = {'': USUAL, '_fixed': self._fixed}
        row = {
            f'{name}{suffix}': mean_of_defined(
                each[name][place] for each in entries if name in each
            )
            for name in CURVES for suffix, place in at.items()
        }  # fmt: skip
        row['AUC'] = mean_of_defined(each['AUC'] for each in entries if 'AUC' in each)
        return row

    def score_average(self, rows: Sequence[dict]) -> dict[str, float]:
        """Means over the domains that have the score, and the threshold."""
        average = super().score_average(rows)
        threshold = math.nan if math.isnan(average['IoU']) else THRESHOLDS[self._fixed]
        return average | {'threshold': threshold}

    def score_names(self) -> set[str]:
        """With the threshold, which is of all images together."""
        return {*super().score_names(), 'threshold'}

    def _average_iou(self, results: Sequence[dict], place: int) -> float:
        groups: dict[str, dict[str, list[float]]] = {}
        for entry in results:
            if 'IoU' in entry:
                datasets = groups.setdefault(entry['domain'], {})
                datasets.setdefault(entry['dataset'], []).append(entry['IoU'][place])
        return mean_of_defined(fmean(map(fmean, datasets.values())) for datasets in groups.values())


def _predicted_share(counts: PixelCounts) -> float:
    return counts.predicted / counts.scored if counts.scored else math.nan
