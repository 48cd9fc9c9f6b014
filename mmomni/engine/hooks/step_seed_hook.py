from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

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
