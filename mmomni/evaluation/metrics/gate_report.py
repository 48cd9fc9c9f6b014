import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmomni.evaluation.functional import UndefinedPredictionError
from mmomni.models.losses import gate_label, tampered_iou
from mmomni.registry import METRICS

from .grouped_metric import GroupedMetric, mean_of_defined

SCORES = (
    'IoU_rgb', 'IoU_fused', 'IoU_chosen', 'IoU_best',
    'vision_share', 'frequency_share', 'label_vision_share', 'accuracy',
)  # fmt: skip


@METRICS.register_module()
class GateReport(GroupedMetric):
    """What the modal gate chose, whether it was right, and what a perfect gate would gain.

    Needs :class:`mmomni.ModalGateHook`. Keys: ``gate/datasets/<domain>/<name>/<score>``,
    ``gate/domains/<domain>/<score>``, ``gate/average/<score>``, with counts of images,
    ``gate/mIoU``, the average ``IoU_chosen`` (without a gate that of all there is), and

    - ``IoU_rgb``, ``IoU_fused``, ``IoU_chosen``: mean IoU of the coarse predictions and of the one
      that the gate chose; both prediction and mask empty is 1.
    - ``IoU_best``: of the better one of the two for each image, the gate's ceiling.
    - ``vision_share``, ``frequency_share``: images for which it chose vision, or vision +
      frequency. An image in sliding windows chose what at least half of its windows chose.
    - ``label_vision_share``: tampered images whose ``L_c`` says vision (paper, section 3.1), here
      of the coarse predictions of whole images at their original size.
    - ``accuracy``: tampered images for which choice and ``L_c`` agree. To be read beside
      ``label_vision_share``, as a gate that never chooses vision is right on all others.

    Authentic images have no ``L_c``. A set without tampered ones has NaN for both, and domains and
    ``average`` are means of those that define the score.

    Only what exists is reported: without a learned gate no choices, with vision alone
    ``IoU_rgb``, without the encoder nothing. Unreadable images are counted, not scored.

    Args:
        margin: By how much vision must be better for ``L_c``, as in :class:`mmomni.ModalGateHead`.
        collect_device: ``'cpu'`` or ``'gpu'``, see :class:`mmengine.evaluator.BaseMetric`.
        prefix: Prefix of all keys; default: ``'gate'``.
    """

    default_prefix = 'gate'
    skips_undefined = True
    headline = ('IoU_chosen', 'IoU_fused', 'IoU_rgb')

    def __init__(
        self, margin: float = 0.1, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.margin = margin
        self._scores: list[str] = []

    def score_sample(self, sample: dict) -> dict[str, Any]:
        """IoU of the coarse predictions of one image, and its choice."""
        if math.isnan(sample.get('p_modal', 0)):
            raise UndefinedPredictionError('expected 0 or 1 as the choice of the gate, got NaN')
        target = sample['gt_sem_seg']['data']
        entry: dict[str, Any] = {'is_tampered': bool((target == 1).any())}
        maps = {
            part: _as_logits(sample[f'coarse_{part}']['data'].to(target.device))
            for part in ('rgb', 'fused', 'chosen') if f'coarse_{part}' in sample
        }  # fmt: skip
        entry |= {f'IoU_{part}': float(tampered_iou(each, target)) for part, each in maps.items()}
        if 'fused' in maps:
            entry['IoU_best'] = max(entry['IoU_rgb'], entry['IoU_fused'])
            label = float(gate_label(maps['rgb'], maps['fused'], target, self.margin))
            entry['label_vision_share'] = label
            if 'p_modal' in sample:
                vision = float(sample['p_modal'] >= 0.5)
                entry |= {'vision_share': vision, 'frequency_share': 1 - vision}
                entry['accuracy'] = math.nan if math.isnan(label) else float(vision == label)
        return entry

    def score_dataset(self, entries: Sequence[dict]) -> dict[str, float]:
        """Means over the images that have the score; NaN if not one has."""
        return {key: mean_of_defined(entry[key] for entry in entries) for key in self._scores}

    def score_names(self) -> set[str]:
        """All that may be reported: what the network predicts decides."""
        return {*SCORES, *self.counts}

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average the entries of all ranks and print one table, if there is anything in it."""
        self._scores = [key for key in SCORES if any(key in entry for entry in results)]
        if not self._scores:
            print_log(
                f'{self.prefix}: no coarse predictions to report; they need a '
                'mmomni.ModalGateEncoder, and mmomni.ModalGateHook in custom_hooks',
                logger='current',
            )
            return {}
        return super().compute_metrics(results)


def _as_logits(prediction: Tensor) -> Tensor:
    """(1, H, W) of 0 and 1 -> (1, 2, H, W), whose larger class is the prediction."""
    return torch.stack([1 - prediction, prediction], dim=1)
