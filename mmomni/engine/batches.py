"""What a training batch of a single image does to batch norms, told before it is met."""

import logging
from collections.abc import Iterator

from mmengine.dataset import InfiniteSampler
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import nn
from torch.utils.data import DataLoader

REMEDY = (
    "or a norm that does not look at the batch: norm_cfg=dict(type='GN', num_groups=...), which "
    'divides all channels'
)


def check_batches(runner: Runner) -> None:
    """Refuse batches of one image that a batch norm of a single pixel ends with; warn of others.

    A pyramid pooling module pools each image to one pixel and normalises it over the batch. Torch
    refuses to do that for one image. Elsewhere a batch norm of one image only learns worse.

    Raises:
        ValueError: Each batch is of one image, or the last of every epoch, and the network has
            such norms.
    """
    size = runner.cfg.train_dataloader.get('batch_size')  # before any data set is built
    lonely = [(name, norm) for name, norm in _batch_norms(runner.model) if _is_alone(norm, runner)]
    pooled = [name for name, norm in _pooled_norms(runner.model) if _is_alone(norm, runner)]
    if pooled and size == 1:
        raise ValueError(
            f'train_dataloader.batch_size=1: {_reason(pooled)}; take a batch size of 2 or more, '
            f"{REMEDY}; or SyncBN (sync_bn='torch') with several processes"
        )
    if pooled and _last_batch(runner.train_loop.dataloader) == 1:
        raise ValueError(
            f'train_dataloader.batch_size={size}: the last batch of every epoch has one image: '
            f'{_reason(pooled)}; take drop_last=True, another batch size, {REMEDY}'
        )
    if lonely and size == 1:
        print_log(
            f'train_dataloader.batch_size=1: {len(lonely)} batch norms see one image at a time, '
            f'and their averages, which validation goes by, fit none; take 2 or more, {REMEDY}',
            logger='current',
            level=logging.WARNING,
        )


def batch_size(loader: DataLoader) -> int | None:
    """Images of one process in a batch; ``None``: its batch sampler does not tell."""
    return loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None)


def _last_batch(loader: DataLoader) -> int:
    """Images in the last batch of an epoch, where it is not a full one."""
    size = batch_size(loader)
    if not size or loader.drop_last or isinstance(loader.sampler, InfiniteSampler):
        return 0
    return len(loader.sampler) % size  # type: ignore[arg-type]


def _batch_norms(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    modules = model.named_modules()
    return ((name, norm) for name, norm in modules if isinstance(norm, _BatchNorm))


def _pooled_norms(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Batch norms behind a pool to one pixel."""
    for name, module in model.named_modules():
        steps = list(module.children()) if isinstance(module, nn.Sequential) else []
        pool = steps[0] if steps else None
        if isinstance(pool, nn.AdaptiveAvgPool2d) and pool.output_size in (1, (1, 1)):
            for inner, norm in _batch_norms(module):
                yield f'{name}.{inner}', norm


def _is_alone(norm: nn.Module, runner: Runner) -> bool:
    """Whether it sees what its own process sees."""
    return not isinstance(norm, nn.SyncBatchNorm) or runner.world_size == 1


def _reason(pooled: list[str]) -> str:
    return (
        f'{pooled[0]} normalises over the batch what was pooled to one pixel, and torch refuses a '
        'single value'
    )
