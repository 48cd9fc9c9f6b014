"""Tests under perturbations: which, with what pipelines, and their results on the disk."""

import copy
import csv
import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from mmomni.datasets.configured import (
    innermost,
    keep_sets,
    pass_on_pipeline,
    sets_of,
    type_name,
)
from mmomni.datasets.transforms.perturb import RESIZING
from mmomni.utils.files import file_sha256, replacing

DOCTAMPER = 'doctamper'
AVERAGE = 'average'
GRIDS: dict[str, tuple[float | None, ...]] = dict(  # None: the image as it is
    jpeg=(50, 60, 70, 80, 90, 100, None),
    blur=(None, 3, 7, 11, 15, 19, 23),
    noise=(None, 3, 7, 11, 15, 19, 23),
    resize=(0.5, 0.75, None, 1.25),
    shared=(60, 70, 80, 90, None),
    doctamper=(75, 80, 85, 90),
)
"""Of the field, and ``shared``. All but ``doctamper`` are kinds of :class:`mmomni.Perturb`."""

UNCHANGED = dict(jpeg='none', blur='0', noise='0', resize='1', shared='original')
"""What ``None`` is called in each grid."""

SCORES = ('IoU', 'F1')
Metrics = Mapping[str, float | None]
"""What an evaluator returns, with ``None`` for NaN."""


class Point(NamedTuple):
    """One test: the name of a grid and a value of it, or ``('original', None)``."""

    kind: str
    value: float | None

    def __str__(self) -> str:
        return self.kind if self.value is None else f'{self.kind}_{self.value:g}'


class Line(NamedTuple):
    """What a score is of: a dataset, a domain (``dataset`` is ``AVERAGE``) or the average."""

    protocol: str
    domain: str
    dataset: str

    @property
    def name(self) -> str | None:
        """What a legend calls it; ``None`` for a domain, which is not drawn."""
        if self.dataset == AVERAGE:
            return AVERAGE if self.domain == AVERAGE else None
        return f'{self.domain}/{self.dataset}'


def has_results(results: Mapping[Point, Metrics], grid: str) -> bool:
    """Whether there is more of a grid than unchanged images, which grids share."""
    return any(Point(grid, value) in results for value in GRIDS[grid])


def point_of(grid: str, value: float | None) -> Point:
    """The test that has the result for a value of a grid; unchanged images are tested once."""
    return Point('original' if value is None else grid, value)


# ---- grids ---------------------------------------------------------------------------------


def grid_points(cfg: Config, grids: Sequence[str] | None) -> list[Point]:
    """The tests that these grids need, each once.

    Args:
        cfg: Its test sets decide which grids fit: those that DocTamper's JPEG schedule compresses
            have a grid of their own and no other.
        grids: Names; None: all that fit.

    Raises:
        ValueError: The test sets do not fit a grid that was asked for.
    """
    datasets = sets_of(cfg, 'test_dataloader')
    plain = [dataset for dataset in datasets if not _has_schedule(dataset)]
    fitting = [
        grid for grid in GRIDS
        if (len(plain) < len(datasets) if grid == DOCTAMPER else plain)
        and (grid not in RESIZING or all(_loads_mask_at_once(dataset) for dataset in plain))
    ]  # fmt: skip
    wrong = sorted(set(grids or []) - set(fitting))
    if wrong:
        raise ValueError(
            f'these test sets fit the grids {", ".join(fitting)}, not {", ".join(wrong)}: '
            f'{DOCTAMPER!r} is for sets that mmomni.DocTamperJPEG compresses, the others for all '
            f'others, and {" and ".join(RESIZING)} only where mmomni.LoadManipulationMask comes '
            'right after mmomni.LoadOriginalImage, because they resize the mask'
        )
    points = [Point(name, value) for name in grids or fitting for value in GRIDS[name]]
    return list(dict.fromkeys(point_of(*point) for point in points))


def perturbed(loader: dict, point: Point) -> dict:
    """The test data loader for one point: its sets, with the perturbation in their pipelines.

    Raises:
        ValueError: A pipeline does not load images the way the perturbation needs it.
    """
    loader = copy.deepcopy(loader)
    loader['dataset'] = pass_on_pipeline(loader['dataset'])
    for dataset in innermost(loader['dataset']):
        if not _has_schedule(dataset):
            _insert(dataset, point)
        elif point.kind == DOCTAMPER:
            _set_min_quality(dataset, point)
    scheduled = point.kind == DOCTAMPER
    keep_sets(loader['dataset'], lambda dataset: _has_schedule(dataset) == scheduled)
    return loader


def _insert(dataset: dict, point: Point) -> None:
    if point.kind in ('original', DOCTAMPER):
        return
    place = _place_of_image(dataset) + 1
    if _loads_mask_at_once(dataset):
        place += 1
    step = dict(type='mmomni.Perturb', kind=point.kind, value=point.value)
    dataset['pipeline'] = [*dataset['pipeline'][:place], step, *dataset['pipeline'][place:]]


def _place_of_image(dataset: dict) -> int:
    steps = [type_name(step) for step in dataset['pipeline']]
    if 'LoadOriginalImage' not in steps:
        raise ValueError(
            f'{_name(dataset)}: expected mmomni.LoadOriginalImage in its pipeline, after which '
            f'images are perturbed, got {steps}'
        )
    return steps.index('LoadOriginalImage')


def _loads_mask_at_once(dataset: dict) -> bool:
    place = _place_of_image(dataset) + 1
    steps = dataset['pipeline'][place : place + 1]
    return [type_name(step) for step in steps] == ['LoadManipulationMask']


def _set_min_quality(dataset: dict, point: Point) -> None:
    for step in dataset['pipeline']:
        if type_name(step) == 'DocTamperJPEG':
            factors, found = re.subn(r'_\d+\.pk$', f'_{point.value}.pk', step.get('factors') or '')
            if not found:
                raise ValueError(
                    f'{_name(dataset)}: expected recorded quality factors, '
                    "factors='..._<lowest quality>.pk', "
                    f'got factors={step.get("factors")!r}'
                )
            if not os.path.isfile(factors):
                raise FileNotFoundError(
                    f'{_name(dataset)}: expected quality factors at {factors}, found none; they '
                    'are in pks/ of the DocTamper repository. Without them, choose other --grids'
                )
            step['factors'] = factors


def _has_schedule(dataset: dict) -> bool:
    return any(type_name(step) == 'DocTamperJPEG' for step in dataset['pipeline'])


def _name(dataset: dict) -> str:
    return dataset.get('name') or dataset.get('data_root') or type_name(dataset)


# ---- results on the disk ---------------------------------------------------------------------


def fingerprint(cfg: Config, checkpoint: str) -> dict[str, str]:
    """What decides the results: the checkpoint's bytes and these parts of the config."""
    keys = ('model', 'test_dataloader', 'test_evaluator', 'test_cfg')
    parts = copy.deepcopy({key: cfg.get(key) for key in keys})
    for key in ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor'):
        parts['test_dataloader'].pop(key, None)  # these change nothing but the speed
    text = json.dumps(parts, sort_keys=True, default=repr)
    return dict(
        config=hashlib.sha256(text.encode()).hexdigest(), checkpoint=file_sha256(Path(checkpoint))
    )


def read_results(folder: Path, inputs: Mapping[str, str]) -> dict[Point, Metrics]:
    """All finished tests in a folder.

    Raises:
        ValueError: They are of another checkpoint or config.
    """
    results = {}
    for path in sorted(folder.glob('*.json')):
        found = json.loads(path.read_text(encoding='utf-8'))
        changed = [key for key in inputs if found['inputs'][key] != inputs[key]]
        if changed:
            raise ValueError(
                f'{path} is of another {" and ".join(changed)}; delete {folder} to compute anew, '
                'or give another --work-dir'
            )
        results[Point(found['kind'], found['value'])] = found['metrics']
    return results


def write_result(
    folder: Path, point: Point, metrics: Mapping[str, float], inputs: Mapping[str, str]
) -> None:
    """Write the file of a finished test."""
    path = folder / f'{point}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {key: None if math.isnan(value) else value for key, value in metrics.items()}
    text = json.dumps(dict(**point._asdict(), inputs=inputs, metrics=known), indent=2)
    with replacing(path) as unfinished:
        unfinished.write_text(text + '\n', encoding='utf-8')


def score_lines(metrics: Metrics) -> Iterator[tuple[Line, str, float]]:
    """Where each score of a test belongs, the score's name and its value."""
    pattern = re.compile(
        rf'(?P<protocol>.+?)/(datasets/(?P<domain>[^/]+)/(?P<dataset>.+)|domains/(?P<mean>[^/]+)|'
        rf'{AVERAGE})/(?P<score>{"|".join(SCORES)})'
    )
    for key, value in metrics.items():
        found = pattern.fullmatch(key)
        if found:
            domain = found['domain'] or found['mean'] or AVERAGE
            line = Line(found['protocol'], domain, found['dataset'] or AVERAGE)
            yield line, found['score'], math.nan if value is None else value


def write_table(results: Mapping[Point, Metrics], path: Path) -> None:
    """One row for each perturbation, value and line."""
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['perturbation', 'value', *Line._fields, *SCORES])
        for kind in [grid for grid in GRIDS if has_results(results, grid)]:
            for value in GRIDS[kind]:
                rows: dict[Line, dict[str, float]] = {}
                for line, score, number in score_lines(results.get(point_of(kind, value), {})):
                    rows.setdefault(line, {})[score] = number
                tick = UNCHANGED[kind] if value is None else value
                for line, numbers in rows.items():
                    cells = [numbers.get(score, math.nan) for score in SCORES]
                    writer.writerow([kind, tick, *line, *(f'{cell:.6f}' for cell in cells)])
