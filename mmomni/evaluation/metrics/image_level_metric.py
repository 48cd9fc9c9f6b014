import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log

from mmomni.evaluation.functional import IMAGE_POOLINGS, image_level_scores, image_score
from mmomni.registry import METRICS

from .grouped_metric import GroupedMetric, tampered_probability


@METRICS.register_module()
class ImageLevelMetric(GroupedMetric):
    """Is this image forged? Scores of the verdict for datasets, domains and on average.

    The map of probabilities is pooled into one score an image. AUC, AP, F1, accuracy, balanced
    accuracy, TPR and FPR of a dataset and of a domain are those of all its images together,
    ``average`` is the mean of the domains. A score without the images that define it (the AUC
    needs forged and authentic ones) is NaN, and the log says why.

    Keys: ``image_level/<pooling>/datasets/<domain>/<name>/<score>``,
    ``image_level/<pooling>/domains/<domain>/<score>`` and
    ``image_level/<pooling>/average/<score>``, and ``image_level/<pooling>/AUC``, the first, which
    is the average AUC. Counts of tampered, authentic and unreadable images
    come along; the unreadable are not scored.

    Args:
        pooling: ``'max'`` or ``'top_k_mean'``, see
            :func:`mmomni.evaluation.image_score.image_score`.
        top_k: Share of the pixels that ``'top_k_mean'`` averages.
        threshold: Images with a higher score are called forged (all but AUC and AP).
        ignore_index: Ground-truth value that does not make an image tampered.
        collect_device: ``'cpu'`` or ``'gpu'``, see :class:`mmengine.evaluator.BaseMetric`.
        prefix: Prefix of all keys.

    Raises:
        ValueError: There is no such pooling; or samples have no logits of two channels.
    """

    headline = ('AUC',)

    def __init__(
        self,
        pooling: str = 'max',
        top_k: float = 0.01,
        threshold: float = 0.5,
        ignore_index: int = 255,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        if pooling not in IMAGE_POOLINGS or not 0 < top_k <= 1:
            raise ValueError(
                f'expected pooling of {IMAGE_POOLINGS} and top_k in (0, 1], got {pooling!r} and '
                f'{top_k}'
            )
        super().__init__(ignore_index, collect_device, prefix or f'image_level/{pooling}')
        self.pooling = pooling
        self.top_k = top_k
        self.threshold = threshold

    def score_sample(self, sample: dict) -> dict[str, Any]:
        """The score of one image, and whether it is forged."""
        score = image_score(tampered_probability(sample), self.pooling, self.top_k)
        return {'score': score, 'is_tampered': bool((sample['gt_sem_seg']['data'] == 1).any())}

    def score_dataset(self, entries: Sequence[dict]) -> dict[str, float]:
        """The scores of these images together."""
        scores = torch.tensor([entry['score'] for entry in entries], dtype=torch.float64)
        labels = torch.tensor([entry['is_tampered'] for entry in entries], dtype=torch.bool)
        return image_level_scores(scores, labels, self.threshold)

    def score_domain(self, entries: Sequence[dict], rows: Sequence[dict]) -> dict[str, float]:
        """The scores of all images together: most sets of forgeries have no authentic ones."""
        return self.score_dataset(entries)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Score the entries of all ranks, print one table and say what is undefined."""
        found = super().compute_metrics(results)
        undefined = [key for key, value in found.items() if math.isnan(value)]
        if undefined:
            reason = 'undefined, for want of forged or of authentic images:'
            print_log('\n  '.join([reason, *undefined]), 'current')
        return found
