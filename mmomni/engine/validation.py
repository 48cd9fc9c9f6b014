import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import ConcatDataset
from mmengine.hooks import CheckpointHook
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
        ValueError: No image of the validation sets is tampered; or no metric, domain or set has the
            key of ``CheckpointHook(save_best=...)``.
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
    """Keys are known from prefixes and sets alone; metrics without a prefix are believed."""
    metrics = runner.val_loop.evaluator.metrics
    wanted = [
        key for hook in runner.hooks if isinstance(hook, CheckpointHook)
        for key in getattr(hook, 'key_indicators', None) or () if key != 'auto'
    ]  # fmt: skip
    for key in wanted:
        able = [m for m in metrics if m.prefix is None or key.startswith(f'{m.prefix}/')]
        if not able:
            raise ValueError(
                f'the best checkpoint is chosen by {key!r} (default_hooks.checkpoint.save_best), '
                f'val_evaluator has metrics with the prefixes {[m.prefix for m in metrics]}; add '
                "dict(type='mmomni.SelectionMetric'), or name one of their scores"
            )
        if all(isinstance(metric, GroupedMetric) for metric in able):
            _demand_group(key, sets)


def _demand_group(key: str, sets: Sequence[Any]) -> None:
    """A key of one domain or set needs it among those that are validated on."""
    found = re.search(r'/(domains|datasets)/(.+)/', key)
    if found is None or not all(isinstance(each, ManipulationDataset) for each in sets):
        return
    kind, group = found.groups()
    groups = {each.domain if kind == 'domains' else f'{each.domain}/{each.name}' for each in sets}
    if group not in groups:
        raise ValueError(
            f'the best checkpoint is chosen by {key!r} (default_hooks.checkpoint.save_best), '
            f'val_dataloader has no such set; expected one of {sorted(groups)} after '
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


def _masks_of(dataset: ManipulationDataset) -> Iterator[bool]:
    """Of each mask that can be read, whether it is not empty."""
    load_image, load_mask = LoadOriginalImage(), LoadManipulationMask()
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if info['seg_map_path'] is None:
            continue
        try:
            mask = load_mask(load_image(info))['gt_seg_map']
        except ImageReadError:
            continue
        yield bool(np.any(mask == 1))
