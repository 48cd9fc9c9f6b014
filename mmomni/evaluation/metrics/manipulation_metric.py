from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mmomni.evaluation.functional import build_protocol, dataset_scores, score_image
from mmomni.registry import METRICS

from .grouped_metric import GroupedMetric, tampered_probability


@METRICS.register_module()
class ManipulationMetric(GroupedMetric):
    """Localisation scores under a named protocol, for datasets, domains and on average.

    A domain is the mean of its datasets and ``average`` the mean of the domains, as in the paper's
    tables (which score DocTamper by ``doctamper``, all else by ``per_image``).

    Keys: ``<protocol>/datasets/<domain>/<name>/<score>``, ``<protocol>/domains/<domain>/<score>``
    and ``<protocol>/average/<score>``; before them the average of the protocol's first score by
    a name whose rule mmengine knows (``per_image/mIoU``, ``trufor/mDice``). To score by several
    protocols, give the evaluator several of these.

    Beside the scores of the protocol: ``tampered_area`` (mean share of tampered pixels, which
    under ``per_image`` is the IoU of answering "tampered" everywhere) and, where
    :class:`mmomni.ModalGateHook` is on, ``frequency_share`` (samples for which the gate chose
    vision + frequency). Counts come along: ``tampered``, ``authentic``, ``unreadable`` images,
    which are not scored, and ``skipped`` ones, which the protocol leaves out of a mean because a
    score is undefined.

    Masks and predictions are scored at the size they have, which the config decides: the image's
    own, because mmseg resizes predictions to ``ori_shape``. ``imdlbenco`` is defined at the
    resolution of the network: its pipeline must resize image and mask and make that size the
    ``ori_shape``; padding is removed by mmseg.

    Args:
        protocol: A name in :data:`mmomni.evaluation.functional.PROTOCOLS`, or a dict of choices,
            see :func:`mmomni.evaluation.functional.build_protocol`.
        ignore_index: Ground-truth value that is not counted.
        collect_device: ``'cpu'`` or ``'gpu'``, see :class:`mmengine.evaluator.BaseMetric`.
        prefix: Prefix of all keys instead of the name of the protocol.

    Raises:
        ValueError: There is no such protocol; a mask and its prediction differ in size; or the
            protocol needs something that the samples do not have (probabilities, ``sample_idx``).
    """

    counts: ClassVar[tuple[str, ...]] = ('tampered', 'authentic', 'unreadable', 'skipped')

    def __init__(
        self,
        protocol: str | Mapping[str, Any] = 'per_image',
        ignore_index: int = 255,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        self.protocol = build_protocol(protocol)
        self.headline = self.protocol.scores[:1]
        super().__init__(ignore_index, collect_device, prefix or self.protocol.name)

    def score_sample(self, sample: dict) -> dict[str, Any]:
        """The numbers of one sample: its result, its place in the dataset, the gate's choice."""
        target = sample['gt_sem_seg']['data'].squeeze(0)
        if self.protocol.needs_probability:
            probability = tampered_probability(sample)
        else:  # the decision itself, which test-time augmentation has merged
            probability = sample['pred_sem_seg']['data'].squeeze(0)
        result = score_image(
            probability.to(target.device), target, self.protocol, self.ignore_index
        )
        entry = {'result': result, 'is_tampered': result.is_tampered}
        if 'p_modal' in sample:
            entry['frequency_share'] = 1 - sample['p_modal']
        if self.protocol.batch_size is not None:
            if 'sample_idx' not in sample:
                raise ValueError(
                    f'{sample["img_path"]}: protocol {self.protocol.name!r} takes means over '
                    "batches in the order of the dataset; add 'sample_idx' to meta_keys of "
                    'mmomni.PackManipulationInputs'
                )
            entry['sample_idx'] = sample['sample_idx']
        return entry

    def score_dataset(self, entries: Sequence[dict]) -> dict[str, float]:
        """The protocol's scores, then their companions; NaN if nothing could be read."""
        results = [entry['result'] for entry in entries]
        places = None
        if self.protocol.batch_size is not None:
            places = [entry['sample_idx'] for entry in entries]
        row = dataset_scores(results, self.protocol, places)
        row['tampered_area'] = _mean([result.tampered_area for result in results])
        chosen = [entry['frequency_share'] for entry in entries if 'frequency_share' in entry]
        return row | ({'frequency_share': _mean(chosen)} if chosen else {})

    def score_names(self) -> set[str]:
        """With the gate's choice, which is there if the hook is."""
        return {*super().score_names(), 'frequency_share'}

    def count(self, entries: Sequence[dict]) -> dict[str, int]:
        """How many entries are what."""
        skipped = sum(entry['result'].is_skipped for entry in entries if 'result' in entry)
        return super().count(entries) | {'skipped': skipped}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float('nan')
