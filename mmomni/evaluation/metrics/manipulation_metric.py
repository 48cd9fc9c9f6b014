from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from prettytable import PrettyTable

from mmomni.evaluation.functional import per_image_scores, pixel_counts
from mmomni.registry import METRICS

SCORES = ('IoU', 'F1', 'precision', 'recall', 'tampered_area', 'frequency_share')
COUNTS = ('tampered', 'authentic', 'unreadable')


@METRICS.register_module()
class ManipulationMetric(BaseMetric):
    """Localisation scores under protocol ``per_image``, for datasets, domains and on average.

    Every image is scored at its original size, then averaged over the images of its dataset; a
    domain is the mean of its datasets and ``average`` the mean of the domains, as in the paper's
    tables (which score DocTamper by a protocol of its own).

    Keys: ``per_image/datasets/<domain>/<name>/<score>``,
    ``per_image/domains/<domain>/<score>`` and ``per_image/average/<score>``.

    Beside IoU, F1, precision and recall: ``tampered_area`` (mean share of tampered pixels, which is
    the IoU of answering "tampered" everywhere) and, where :class:`mmomni.ModalGateHook` is on,
    ``frequency_share`` (samples for which the gate chose vision + frequency). Counts of
    tampered, authentic and unreadable images come along; the unreadable are not scored.

    Args:
        ignore_index: Ground-truth value that is not counted.
        collect_device: ``'cpu'`` or ``'gpu'``, see :class:`mmengine.evaluator.BaseMetric`.
        prefix: Prefix of all keys.
    """

    default_prefix = 'per_image'

    def __init__(
        self, ignore_index: int = 255, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_index = ignore_index

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
                entry.update(self._score(sample))
            self.results.append(entry)

    def _score(self, sample: dict) -> dict[str, Any]:
        target = sample['gt_sem_seg']['data'].squeeze(0)
        prediction = sample['pred_sem_seg']['data'].squeeze(0).to(target.device)
        counts = pixel_counts(prediction, target, self.ignore_index)
        scored = max(1, int((target != self.ignore_index).sum()))
        entry = {
            **per_image_scores(counts),
            'tampered_area': counts.tampered / scored,
            'is_tampered': counts.tampered > 0,
        }
        if 'p_modal' in sample:
            entry['frequency_share'] = 1 - sample['p_modal']
        return entry

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average the entries of all ranks and print one table."""
        entries: dict[str, dict[str, list]] = defaultdict(lambda: defaultdict(list))
        for entry in results:
            entries[entry['domain']][entry['dataset']].append(entry)
        datasets = {
            domain: {name: _mean_of_images(group) for name, group in members.items()}
            for domain, members in entries.items()
        }
        domains = {d: _mean_of_groups(list(members.values())) for d, members in datasets.items()}
        average = _mean_of_groups(list(domains.values()))
        self._print(datasets, domains, average)
        _name_unreadable(results)
        rows = {f'datasets/{d}/{name}': datasets[d][name] for d in datasets for name in datasets[d]}
        rows |= {f'domains/{d}': row for d, row in domains.items()} | {'average': average}
        return {f'{group}/{key}': row[key] for group, row in rows.items() for key in row}

    def _print(self, datasets: dict, domains: dict, average: dict) -> None:
        columns = [key for key in (*SCORES, *COUNTS) if key in average]
        table = PrettyTable([self.prefix or 'protocol', *columns])
        table.align = 'r'
        for domain, domain_row in domains.items():
            for name, row in datasets[domain].items():
                table.add_row([name, *_cells(row, columns)])
            table.add_row([f'= {domain}', *_cells(domain_row, columns)], divider=True)
        table.add_row(['= average', *_cells(average, columns)])
        print_log('\n' + table.get_string(), logger='current')


def _mean_of_images(entries: Sequence[dict]) -> dict[str, float]:
    """One dataset's row; scores are NaN if not one of its images could be read."""
    readable = [entry for entry in entries if 'unreadable' not in entry]
    row: dict[str, float] = {}
    for key in SCORES:
        values = [entry[key] for entry in readable if key in entry]
        if values or key != 'frequency_share':
            row[key] = float(np.mean(values)) if values else float('nan')
    row['tampered'] = sum(entry['is_tampered'] for entry in readable)
    row['authentic'] = len(readable) - row['tampered']
    row['unreadable'] = len(entries) - len(readable)
    return row


def _mean_of_groups(rows: Sequence[dict]) -> dict[str, float]:
    """Scores averaged over ``rows``, counts summed."""
    keys = [key for key in SCORES if all(key in row for row in rows)]
    mean = {key: float(np.mean([row[key] for row in rows])) for key in keys}
    return mean | {key: sum(row[key] for row in rows) for key in COUNTS}


def _cells(row: dict, columns: Sequence[str]) -> list[str]:
    return [
        '' if key not in row else str(row[key]) if key in COUNTS else f'{row[key]:.3f}'
        for key in columns
    ]


def _name_unreadable(results: Sequence[dict]) -> None:
    paths = sorted(entry['path'] for entry in results if 'unreadable' in entry)
    if paths:
        print_log('\n  '.join([f'{len(paths)} unreadable images, not scored:', *paths]), 'current')
