from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.nn.modules.batchnorm import _BatchNorm

from mmomni.registry import HOOKS


@HOOKS.register_module()
class FrozenStatisticsHook(Hook):
    """Let batch norms use, in training, too, the statistics that they have, and keep them.

    Their weights and biases learn on. For weights that are tuned on few images of another kind:
    statistics of those would replace what the network was trained with, and it forgets.
    """

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """The loop sets the whole model to training before each iteration."""
        for module in runner.model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
