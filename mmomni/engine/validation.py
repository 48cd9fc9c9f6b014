from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import ConcatDataset
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmomni.datasets import ManipulationDataset
from mmomni.datasets.transforms import LoadManipulationMask, LoadOriginalImage
from mmomni.jpeg import ImageReadError

REMEDY = (
    '; or train without validation: --cfg-options val_dataloader=None val_evaluator=None '
    'val_cfg=None'
)


def check_validation(runner: Runner) -> None:
    """Say before training what would else end the first validation, or make it worthless.

    Without a validation the log says so.

    Raises:
        ValueError: No image of the validation sets is tampered; or no metric has the key of
            ``CheckpointHook(save_best=...)``.
    """
    if runner.val_loop is None:
        print_log(
            'no validation: neither learning curves of scores nor a best checkpoint; '
            'docs/training.md says how to hold images out',
            logger='current',
        )
        return
    _demand_best_key(runner)
    _demand_tampered(runner.val_loop.dataloader.dataset)


def _demand_best_key(runner: Runner) -> None:
    """Keys are known from prefixes alone; metrics without one are believed."""
    prefixes = [metric.prefix for metric in runner.val_loop.evaluator.metrics]
    wanted = [
        key for hook in runner.hooks if isinstance(hook, CheckpointHook)
        for key in getattr(hook, 'key_indicators', None) or ()
    ]  # fmt: skip
    for key in wanted:
        known = any(prefix is None or key.startswith(f'{prefix}/') for prefix in prefixes)
        if key != 'auto' and not known:
            raise ValueError(
                f'the best checkpoint is chosen by {key!r} (default_hooks.checkpoint.save_best), '
                f'val_evaluator has metrics with the prefixes {prefixes}; add '
                "dict(type='mmomni.SelectionMetric'), or name one of their scores"
            )


def _demand_tampered(dataset: Any) -> None:
    sets = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]
    ours = [each for each in sets if isinstance(each, ManipulationDataset)]
    if len(ours) < len(sets):  # somebody else's, whose samples we do not know
        return
    if not any(map(_has_tampered, ours)):
        names = ', '.join(f'{each.domain}/{each.name}: {len(each)} images' for each in ours)
        raise ValueError(
            f'not one image of the validation sets is tampered ({names}), so no score of a '
            f'validation would be defined; add a set with masks to val_dataloader{REMEDY}'
        )


def _has_tampered(dataset: ManipulationDataset) -> bool:
    """Reads masks until one is not empty, of most sets the first."""
    return any(_masks_of(dataset))


def _masks_of(dataset: ManipulationDataset) -> Iterator[bool]:
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
