from time import monotonic
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop, Runner

from mmomni.engine.finite import on_any_rank
from mmomni.registry import HOOKS

SPENT = 'seconds_spent'
"""In the message hub of a checkpoint: how long the training had taken until then."""


@HOOKS.register_module()
class TimeLimitHook(Hook):
    """End a training of ``IterBasedTrainLoop`` after so many minutes, with a validation.

    Validations count, and what a run took that is resumed. A schedule that is to reach its end
    must be short enough for the time.

    Args:
        minutes: Above 0.
    """

    priority = 'VERY_HIGH'  # the checkpoint of an iteration is to know how long it took

    def __init__(self, minutes: float) -> None:
        if not minutes > 0:
            raise ValueError(f'expected minutes above 0, got {minutes}')
        self.seconds = 60 * minutes
        self._since = 0.0

    def before_train(self, runner: Runner) -> None:
        """Go on counting.

        Raises:
            ValueError: The loop is none that validates at an iteration.
        """
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError('TimeLimitHook needs IterBasedTrainLoop in train_cfg')
        self._since = monotonic() - runner.message_hub.get_info(SPENT, 0.0)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Of all ranks the slowest decides, in the same iteration."""
        spent = monotonic() - self._since
        runner.message_hub.update_info(SPENT, spent)
        loop = runner.train_loop
        if not on_any_rank(int(spent >= self.seconds)):
            return
        print_log(
            f'{self.seconds / 60:.3g} minutes are over: the training ends at iteration '
            f'{loop.iter + 1} of {loop.max_iters}',
            logger='current',
        )
        loop.stop_training = True
        # So this iteration is validated, too.
        loop.dynamic_intervals = [1] * len(loop.dynamic_intervals)
