import logging
import math
import traceback
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, ClassVar

import numpy as np
from mmengine.dist import get_rank
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from mmomni.evaluation.functional import UndefinedPredictionError, demand_defined
from mmomni.evaluation.functional.protocols import COUNT_SCORES, RANKING_SCORES
from mmomni.utils.tables import framed_table

HEADLINES = {
    'IoU': 'mIoU', 'IoU_rgb': 'mIoU', 'IoU_fused': 'mIoU', 'IoU_chosen': 'mIoU',
    'F1': 'mDice', 'F1_best': 'mDice', 'recall': 'mAcc', 'AP': 'mAP',
}  # fmt: skip
"""What mmengine and mmseg call an average of such scores; the others they know by our names."""
HIGHER_IS_BETTER = frozenset((
    *COUNT_SCORES, *RANKING_SCORES, *HEADLINES.values(), 'IoU_fixed', 'F1_fixed', 'IoU_rgb',
    'IoU_fused', 'IoU_chosen', 'IoU_best', 'accuracy', 'balanced_accuracy', 'TPR',
))  # fmt: skip
LOWER_IS_BETTER = frozenset(('false_area', 'false_area_fixed', 'FPR'))
"""Of all other scores here no value is better; of other people's it is not known."""
FAILED = 'failed'
"""The count of images that could be read and not be scored, and in their entries the reason."""


def rule_of(key: str) -> str | None:
    """``'greater'`` or ``'less'``, whichever is better for a key of these metrics.

    ``None``: it is not one of theirs, or no value of it is better.
    """
    *groups, score = key.split('/')
    is_ours = score in HEADLINES.values() or {'average', 'domains', 'datasets'} & set(groups)
    if not is_ours or score not in HIGHER_IS_BETTER | LOWER_IS_BETTER:
        return None
    return 'less' if score in LOWER_IS_BETTER else 'greater'


def number_failed(metrics: Mapping[str, Any]) -> int:
    """How many images of a test were not scored by the metric that scored the fewest."""
    return max((n for key, n in metrics.items() if key.endswith(f'/average/{FAILED}')), default=0)


class GroupedMetric(BaseMetric):
    """Scores of datasets, of domains and on average, with counts of what was not scored.

    One entry of numbers is kept for each sample. A domain is the mean of its datasets and
    ``average`` the mean of the domains; counts are summed. Keys, after the prefix:
    ``datasets/<domain>/<name>/<score>``, ``domains/<domain>/<score>``, ``average/<score>``.

    An image without a defined prediction (NaN), or one that raises an error after others were
    scored, is not scored: the log names it with its rank and the reason, and it is counted as
    ``failed``, a key that is there only then.

    Before all these comes the headline, one of the averages by a name of which mmengine knows that
    more is better, ``mIoU`` for instance: ``save_best='auto'`` takes the first key, and neither it
    nor ``EarlyStoppingHook(monitor='selection/mIoU')`` needs a ``rule``.

    Arguments are mmengine's, and ``ignore_index``, the ground-truth value that is not counted.
    """

    counts: ClassVar[tuple[str, ...]] = ('tampered', 'authentic', 'unreadable')

    skips_undefined: ClassVar[bool] = False
    """Whether a mean of datasets or domains leaves out those that are NaN, or is NaN itself."""

    headline: tuple[str, ...] = ()
    """Scores of which the first that was evaluated is the headline; none: the first of all."""

    def __init__(
        self, ignore_index: int = 255, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_index = ignore_index

    @abstractmethod
    def score_sample(self, sample: dict) -> dict[str, Any]:
        """The numbers kept of a readable sample, ``is_tampered`` among them."""

    @abstractmethod
    def score_dataset(self, entries: Sequence[dict]) -> dict[str, float]:
        """The scores of readable entries, maybe none, in the order of evaluation."""

    def score_domain(self, entries: Sequence[dict], rows: Sequence[dict]) -> dict[str, float]:
        """The scores of a domain, of its readable entries and the rows of its datasets."""
        return self._mean(rows)

    def score_average(self, rows: Sequence[dict]) -> dict[str, float]:
        """The scores over all, of the rows of the domains."""
        return self._mean(rows)

    def score_names(self) -> set[str]:
        """All that may stand behind ``average/``, counts included."""
        return {*self.score_dataset([]), *self.counts}

    def headline_names(self) -> set[str]:
        """All that may stand right behind the prefix."""
        return {HEADLINES.get(score, score) for score in self.headline or self.score_names()}

    def _mean(self, rows: Sequence[dict]) -> dict[str, float]:
        """The mean of each score that all ``rows`` have."""
        mean = mean_of_defined if self.skips_undefined else np.mean
        counts = (*self.counts, FAILED)
        keys = [key for key in rows[0] if key not in counts and all(key in r for r in rows)]
        return {key: float(mean([row[key] for row in rows])) for key in keys}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Append exactly one entry a sample (mmengine cuts the gathered list to the set's size)."""
        for sample in data_samples:
            entry = {
                'path': sample['img_path'],
                'dataset': sample.get('dataset_name', 'dataset'),
                'domain': sample.get('domain', 'all'),
            }
            if 'unreadable' in sample:
                entry['unreadable'] = True
            else:
                entry.update(self._scored(sample))
            self.results.append(entry)

    def _scored(self, sample: dict) -> dict[str, Any]:
        """The numbers of a sample, or why there are none.

        What raises an error before any image was scored is taken to raise it for all of them.
        """
        try:
            if 'seg_logits' in sample:
                demand_defined(sample['seg_logits']['data'])
            return self.score_sample(sample)
        except UndefinedPredictionError as error:
            reason = str(error)
        except Exception as error:
            if not _readable(self.results):
                raise
            if not any(FAILED in entry for entry in self.results):  # where it is, of the first
                print_log(traceback.format_exc(), logger='current', level=logging.ERROR)
            reason = f'{type(error).__name__}: {error}'
        return {FAILED: f'rank {get_rank()}, {sample["img_path"]}: {reason}'}

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Score the entries of all ranks and print one table."""
        groups: dict[str, dict[str, list]] = defaultdict(lambda: defaultdict(list))
        for entry in results:
            groups[entry['domain']][entry['dataset']].append(entry)
        datasets = {
            domain: {
                name: self.score_dataset(_readable(group)) | self.count(group)
                for name, group in members.items()
            }
            for domain, members in groups.items()
        }
        domains = {}
        for domain, members in groups.items():
            entries = [entry for group in members.values() for entry in group]
            scores = self.score_domain(_readable(entries), list(datasets[domain].values()))
            domains[domain] = scores | self.count(entries)
        average = self.score_average(list(domains.values())) | self.count(results)
        self._print(datasets, domains, average)
        _name_unreadable(results)
        self._name_failed(results)
        rows = {f'datasets/{d}/{name}': datasets[d][name] for d in datasets for name in datasets[d]}
        rows |= {f'domains/{d}': row for d, row in domains.items()} | {'average': average}
        headline = next(key for key in (*self.headline, *average) if key in average)
        found = {HEADLINES.get(headline, headline): average[headline]}
        return found | {f'{group}/{key}': row[key] for group, row in rows.items() for key in row}

    def count(self, entries: Sequence[dict]) -> dict[str, int]:
        """How many entries are what, by the names in ``counts``."""
        readable = _readable(entries)
        tampered = sum(entry['is_tampered'] for entry in readable)
        failed = sum(FAILED in entry for entry in entries)
        counts = {
            'tampered': tampered,
            'authentic': len(readable) - tampered,
            'unreadable': len(entries) - len(readable) - failed,
        }
        return counts | ({FAILED: failed} if failed else {})

    def _name_failed(self, results: Sequence[dict]) -> None:
        failed = [entry[FAILED] for entry in results if FAILED in entry]
        if failed:
            lines = [f'{self.prefix}: {len(failed)} images failed, not scored:', *failed]
            print_log('\n  '.join(lines), logger='current', level=logging.ERROR)

    def _print(self, datasets: dict, domains: dict, average: dict) -> None:
        columns = list(average)
        rows, ends = [], []
        for domain, domain_row in domains.items():
            for name, row in datasets[domain].items():
                rows.append([name, *self._cells(row, columns)])
            ends.append(len(rows))
            rows.append([f'= {domain}', *self._cells(domain_row, columns)])
        rows.append(['= average', *self._cells(average, columns)])
        table = framed_table([self.prefix, *columns], rows, 'r', ends)
        print_log('\n' + table, logger='current')

    def _cells(self, row: dict, columns: Sequence[str]) -> list[str]:
        return [
            '' if key not in row
            else str(row[key]) if key in (*self.counts, FAILED)
            else f'{row[key]:.3f}'
            for key in columns
        ]  # fmt: skip


def mean_of_defined(values: Iterable[float]) -> float:
    """The mean of what is not NaN; NaN if nothing else is there."""
    defined = [value for value in values if not math.isnan(value)]
    return fmean(defined) if defined else math.nan


def tampered_probability(sample: dict) -> Tensor:
    """Probability of "tampered", (H, W) in [0, 1]: the softmax of two-channel logits.

    Raises:
        ValueError: There are no logits of two channels; or they are not those of the prediction,
            as with mmseg's test-time augmentation, which merges predictions but not logits.
    """
    logits = sample['seg_logits']['data'] if 'seg_logits' in sample else None
    if logits is None or logits.shape[0] != 2:
        found = 'none' if logits is None else f'the shape {tuple(logits.shape)}'
        raise ValueError(
            f'{sample["img_path"]}: this score needs seg_logits of two channels (2, H, W), got '
            f'{found}; use a decode head with num_classes=2, out_channels=2'
        )
    if 'pred_sem_seg' in sample:
        prediction = sample['pred_sem_seg']['data'].squeeze(0)
        if not logits.argmax(dim=0).equal(prediction):
            raise ValueError(
                f'{sample["img_path"]}: pred_sem_seg is not the argmax of seg_logits. Test-time '
                'augmentation of mmseg merges predictions only, so probabilities cannot be '
                "scored: test without it, or use protocol 'per_image' or 'doctamper'"
            )
    return logits.float().softmax(dim=0)[1]


def _readable(entries: Sequence[dict]) -> list[dict]:
    return [entry for entry in entries if 'unreadable' not in entry and FAILED not in entry]


def _name_unreadable(results: Sequence[dict]) -> None:
    paths = sorted(entry['path'] for entry in results if 'unreadable' in entry)
    if paths:
        print_log('\n  '.join([f'{len(paths)} unreadable images, not scored:', *paths]), 'current')
