import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import ConcatDataset
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmomni.datasets import ManipulationDataset
from mmomni.datasets.transforms import LoadManipulationMask, LoadOriginalImage
from mmomni.evaluation.metrics.grouped_metric import GroupedMetric
from mmomni.jpeg import ImageReadError

REMEDY = (
    '; or train without validation: --cfg-options val_dataloader=None val_evaluator=None '
    'val_cfg=None'
)


def check_validation(runner: Runner) -> None:
    """Say before training what would else end the first validation, or make it worthless.

    Without a validation the log says so.

    Raises:
        ValueError: No image of the validation sets is tampered; or no metric, score, domain or set
            has the key of ``CheckpointHook(save_best=...)`` or ``EarlyStoppingHook(monitor=...)``.
    """
    if runner.val_loop is None:
        print_log(
            'no validation: neither learning curves of scores nor a best checkpoint; '
            'docs/training.md says how to hold images out',
            logger='current',
        )
        return
    dataset = runner.val_loop.dataloader.dataset
    sets = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]
    _demand_best_key(runner, sets)
    _demand_tampered(sets)


def _demand_best_key(runner: Runner, sets: Sequence[Any]) -> None:
    """Keys are known from metrics and sets alone; metrics without a prefix are believed."""
    metrics = runner.val_loop.evaluator.metrics
    for key, use in _wanted_keys(runner.hooks, metrics):
        able = [m for m in metrics if m.prefix is None or key.startswith(f'{m.prefix}/')]
        if not able:
            raise ValueError(
                f'{use}, val_evaluator has metrics with the prefixes '
                f"{[m.prefix for m in metrics]}; add dict(type='mmomni.SelectionMetric'), or name "
                'one of their scores'
            )
        ours = [metric for metric in able if isinstance(metric, GroupedMetric)]
        if len(ours) == len(able):
            _demand_score(key, use, ours)
            _demand_group(key, use, sets)


def _wanted_keys(hooks: Sequence[Hook], metrics: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Keys that a validation must have, and in words what for."""
    for hook in hooks:
        if isinstance(hook, EarlyStoppingHook):
            yield hook.monitor, f'training stops early by {hook.monitor!r} (monitor)'
        elif isinstance(hook, CheckpointHook):
            use = 'the best checkpoint is chosen by {!r} (default_hooks.checkpoint.save_best)'
            keys, rules = getattr(hook, 'key_indicators', ()), getattr(hook, 'rules', ())
            for key, rule in zip(keys, rules, strict=False):
                if key != 'auto':
                    yield key, use.format(key)
                elif rule == 'less' and isinstance(metrics[0], GroupedMetric):
                    raise ValueError(
                        f"{use.format(key)}, the first score of {metrics[0].prefix}, of which more "
                        "is better: expected rule='greater', got 'less'"
                    )


def _demand_score(key: str, use: str, metrics: Sequence[GroupedMetric]) -> None:
    """The form of a key of ours, and the score at its end."""
    names = {name for metric in metrics for name in metric.score_names()}
    for metric in metrics:
        *groups, score = key[len(metric.prefix or '') + 1 :].split('/')
        if not groups and score in metric.headline_names():
            return
        if groups[:1] in (['average'], ['domains'], ['datasets']) and score in names:
            return
    raise ValueError(
        f'{use}, which is no key of val_evaluator; expected {metrics[0].prefix}/GROUP/SCORE with '
        f"GROUP 'average', 'domains/NAME' or 'datasets/DOMAIN/NAME' and SCORE of {sorted(names)}"
    )


def _demand_group(key: str, use: str, sets: Sequence[Any]) -> None:
    """A key of one domain or set needs it among those that are validated on."""
    found = re.search(r'/(domains|datasets)/(.+)/', key)
    if found is None or not all(isinstance(each, ManipulationDataset) for each in sets):
        return
    kind, group = found.groups()
    groups = {each.domain if kind == 'domains' else f'{each.domain}/{each.name}' for each in sets}
    if group not in groups:
        raise ValueError(
            f'{use}, val_dataloader has no such set; expected one of {sorted(groups)} after '
            f"'{kind}/', got {group!r}"
        )


def _demand_tampered(sets: Sequence[Any]) -> None:
    ours = [each for each in sets if isinstance(each, ManipulationDataset)]
    if len(ours) < len(sets):  # somebody else's, whose samples we do not know
        return
    # Reads masks until one is not empty, of most sets the first.
    if not any(is_tampered for each in ours for is_tampered in _masks_of(each)):
        names = ', '.join(f'{each.domain}/{each.name}: {len(each)} images' for each in ours)
        raise ValueError(
            f'not one image of the validation sets is tampered ({names}), so no score of a '
            f'validation would be defined; add a set with masks to val_dataloader{REMEDY}'
        )


def _loaders_of(dataset: ManipulationDataset) -> list[Callable[[dict], Any]]:
    """Those of its pipeline, which know where the files are stored; else ones of local files."""
    steps = dataset.pipeline.transforms
    kinds = (LoadOriginalImage, LoadManipulationMask)
    return [
        next((step for step in steps if isinstance(step, kind)), None) or kind() for kind in kinds
    ]


def _masks_of(dataset: ManipulationDataset) -> Iterator[bool]:
    """Of each mask that can be read, whether it is not empty."""
    load_image, load_mask = _loaders_of(dataset)
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if info['seg_map_path'] is None:
            continue
        try:
            mask = load_mask(load_image(info))['gt_seg_map']
        except ImageReadError:
            continue
        yield bool(np.any(mask == 1))
