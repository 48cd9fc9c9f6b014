from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmomni.registry import HOOKS


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
