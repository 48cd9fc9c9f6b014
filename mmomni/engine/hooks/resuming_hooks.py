"""What makes a run that was killed and resumed equal to an uninterrupted one."""

from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmomni.registry import HOOKS
from mmomni.utils.seeding import seed_all


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
        seed_all(runner.seed, get_rank(), runner.iter)


@HOOKS.register_module()
class ResumedValidationHook(Hook):
    """Validate first, where a run is resumed from a checkpoint that was due for validation.

    mmengine saves a checkpoint before the validation of the same iteration. A run that was killed
    in between would go on without it: with a gap in its learning curve, and, what is worse, with
    an earlier checkpoint as its best. Where the validation had taken place already, it has the
    same outcome once more.
    """

    priority = 'LOWEST'  # CheckpointHook must know its best checkpoint by then

    def before_train(self, runner: Runner) -> None:
        """Validate where ``IterBasedTrainLoop`` without ``dynamic_intervals`` would have."""
        loop = runner.train_loop
        if not isinstance(loop, IterBasedTrainLoop) or runner.val_loop is None or not loop.iter:
            return
        due = loop.iter % loop.val_interval == 0 or loop.iter == loop.max_iters
        if due and loop.iter >= loop.val_begin:
            runner.val_loop.run()
