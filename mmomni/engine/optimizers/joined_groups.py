from typing import Any

import torch
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import nn

from mmomni.models import fast
from mmomni.registry import OPTIM_WRAPPER_CONSTRUCTORS

_FUSED_ON_CPU = ('Adam', 'AdamW')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class JoinedGroups(DefaultOptimWrapperConstructor):
    """mmengine's, with one group for all parameters of equal options.

    With ``paramwise_cfg``, mmengine makes a group of every parameter, and torch steps group by
    group. On a CPU, Adam and AdamW are torch's fused ones, from the version on that has them
    (2.4), unless the config says ``fused`` or ``foreach``: one pass over memory instead of ten.

    Checkpoints of an optimiser hold its groups: those of mmengine's constructor cannot be resumed
    with this one, nor the other way round. They hold ``fused``, too: resumed under a torch that has
    no fused ones on a CPU, the first step ends with an error of torch.
    """

    optimizer_cfg: dict

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimiser of a model, and wrap it."""
        optimizer = self.optimizer_cfg
        chosen = {'fused', 'foreach'} & set(optimizer)
        if optimizer['type'] in _FUSED_ON_CPU and not chosen and _can_fuse(model):
            self.optimizer_cfg = {**optimizer, 'fused': True}
        return super().__call__(model)

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs: Any
    ) -> None:
        """Append the groups of a module and its children."""
        super().add_params(params, module, prefix=prefix, **kwargs)
        if not prefix:  # the whole model, after all of its children
            params[:] = _joined(params)


def _can_fuse(model: nn.Module) -> bool:
    learnt = [p for p in model.parameters() if p.requires_grad]
    if not learnt or not all(map(fast.on_cpu, learnt)):
        return False
    try:  # torch says so only when asked
        torch.optim.AdamW([torch.zeros(1, requires_grad=True)], fused=True)
    except RuntimeError:
        return False
    return True


def _joined(groups: list[dict]) -> list[dict]:
    """Groups of equal options as one, in the order of their first."""
    joined: dict[tuple, dict] = {}
    for group in groups:
        options = {key: value for key, value in group.items() if key != 'params'}
        key = tuple(sorted((name, repr(value)) for name, value in options.items()))
        joined.setdefault(key, {'params': [], **options})['params'] += group['params']
    return list(joined.values())
