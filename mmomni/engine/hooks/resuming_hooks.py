"""What makes a run that was killed and resumed equal to an uninterrupted one."""

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop, Runner

from mmomni.engine.batches import batch_size
from mmomni.registry import HOOKS
from mmomni.utils.config_values import values_of_config
from mmomni.utils.seeding import Stream, seed_all


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seed every training step by (seed, rank, iteration).

    Dropout, stochastic depth and box sampling of a resumed run are then those of an
    uninterrupted one. Together with :class:`mmomni.ReproducibleSampler` and at least one loader
    worker, the two runs end with equal weights.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Raise ``ValueError`` if the data would not go on where the resumed run stopped.

        mmengine draws a seed where the config has none, restores the drawn one on resuming,
        but builds the sampler before that.
        """
        seed = getattr(runner.train_dataloader.sampler, 'seed', runner.seed)
        if seed != runner.seed:
            raise ValueError(
                f'the run to resume had drawn seed {runner.seed}, the sampler now drew {seed}; '
                f'add --cfg-options randomness.seed={runner.seed}'
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Stateless: depends on the place in the run alone."""
        seed_all(Stream.STEP, runner.seed, get_rank(), runner.iter)


@HOOKS.register_module()
class ResumedBatchHook(Hook):
    """Warn where a run is resumed with another batch size or number of processes than it had.

    mmengine counts iterations: it goes on in the order of the samples after as many batches of the
    new size, and scales no learning rate. Checkpoints say what they were trained with in
    ``meta['batch']``; of older ones the batch size is read from their config.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._before: dict[str, int] = {}

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Leave a note of the batches."""
        checkpoint['meta']['batch'] = _batch_of(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Whether it is resumed or only started from is known when the training begins."""
        self._before = _noted_batch(checkpoint.get('meta') or {})

    def before_train(self, runner: Runner) -> None:
        """Compare, in numbers."""
        now = _batch_of(runner)
        before = {**now, **self._before}
        if not runner.iter or before == now:
            return
        old, new = (b['batch_size'] * b['processes'] for b in (before, now))
        seen, reached = runner.iter * old, runner.iter * new
        order = 'the order of samples is no longer that of the run'
        if old != new and isinstance(runner.train_loop, IterBasedTrainLoop):
            what = 'left out' if new > old else 'seen again'
            order = f'it goes on at sample {reached:,}, not {seen:,}: those between are {what}'
        print_log(
            f'resumed at iteration {runner.iter:,} with {_told(now)}, the checkpoint was trained '
            f'with {_told(before)}: {order}; learning rate and schedule stay those of the '
            'checkpoint and count iterations, not samples',
            logger='current',
            level=logging.WARNING,
        )


def _batch_of(runner: Runner) -> dict[str, int]:
    size = batch_size(runner.train_dataloader)
    return dict(batch_size=size or 0, processes=runner.world_size)


def _noted_batch(meta: Mapping[str, Any]) -> dict[str, int]:
    """What a checkpoint tells of its batches."""
    if 'batch' in meta or 'cfg' not in meta:
        return dict(meta.get('batch', {}))
    try:
        loader = values_of_config(meta['cfg'])['train_dataloader']
        return dict(batch_size=int(loader['batch_size']))
    except Exception:  # noqa: BLE001  (whatever its config was, resuming does not end with it)
        return {}


def _told(batch: Mapping[str, int]) -> str:
    return f'{batch["batch_size"]} images a batch in each of {batch["processes"]} processes'


@HOOKS.register_module()
class ResumedValidationHook(Hook):
    """Validate first, where a run is resumed from a checkpoint that was due for validation.

    mmengine saves a checkpoint before the validation of the same iteration. A run that was killed
    in between would go on without it: with a gap in its learning curve, and, what is worse, with
    an earlier checkpoint as its best. Where the validation had taken place already, it has the
    same outcome once more.

    Args:
        first: Validate before the first iteration, too. The weights that a training starts from
            then have scores to compare with, and are its best checkpoint until others are better.
    """

    priority = 'LOWEST'  # CheckpointHook must know its best checkpoint by then

    def __init__(self, first: bool = False) -> None:
        self.first = first

    def before_train(self, runner: Runner) -> None:
        """Validate where ``IterBasedTrainLoop`` without ``dynamic_intervals`` would have."""
        loop = runner.train_loop
        if not isinstance(loop, IterBasedTrainLoop) or runner.val_loop is None:
            return
        due = loop.iter % loop.val_interval == 0 or loop.iter == loop.max_iters
        if (due and loop.iter >= loop.val_begin) if loop.iter else self.first:
            runner.val_loop.run()
