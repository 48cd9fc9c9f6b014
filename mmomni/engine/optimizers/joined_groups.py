import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import MMLogger, print_log
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

    A custom key takes its parameters from all other rules, so that in mmengine's constructor a
    learning rate for a part of the network lets the norms and biases of that part decay, and a
    longer key undoes a shorter one. With ``paramwise_cfg=dict(combine_keys=True)`` learning rate
    and weight decay are each what they are with those keys alone that name a ``lr_mult``, or a
    ``decay_mult``.

    Checkpoints of an optimiser hold its groups: those of mmengine's constructor, or of other rules,
    cannot be resumed with this one, nor the other way round. They hold ``fused``, too: resumed
    under a torch that has no fused ones on a CPU, the first step ends with an error of torch.
    """

    optimizer_cfg: dict

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimiser of a model, and wrap it."""
        optimizer = self.optimizer_cfg
        chosen = {'fused', 'foreach'} & set(optimizer)
        if optimizer['type'] in _FUSED_ON_CPU and not chosen and _can_fuse(model):
            self.optimizer_cfg = {**optimizer, 'fused': True}
        wrapper = super().__call__(model)
        if hasattr(torch.optim.Optimizer, 'register_load_state_dict_pre_hook'):
            wrapper.optimizer.register_load_state_dict_pre_hook(_refuse_other_groups)
        return wrapper

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs: Any
    ) -> None:
        """Append the groups of a module and its children."""
        if prefix:
            super().add_params(params, module, prefix=prefix, **kwargs)
            return
        if not self.paramwise_cfg.get('combine_keys', False):
            super().add_params(params, module, **kwargs)
            params[:] = _joined(params)
            return
        with _without_a_line_for_each_parameter():
            super().add_params(params, module, **kwargs)
            self._combine(params, module)
        params[:] = _joined(params)
        for group in params:
            options = {name: value for name, value in group.items() if name != 'params'}
            print_log(f'{len(group["params"])} parameters: {options}', logger='current')

    def _combine(self, groups: list[dict], model: nn.Module) -> None:
        """Give every group the learning rate, and the decay, that it has by the keys of each."""
        keys = self.paramwise_cfg.get('custom_keys', {})
        for mult, option in (('lr_mult', 'lr'), ('decay_mult', 'weight_decay')):
            own = {key: values for key, values in keys.items() if mult in values}
            alone = DefaultOptimWrapperConstructor(
                dict(optimizer=self.optimizer_cfg), {**self.paramwise_cfg, 'custom_keys': own}
            )
            found: list[dict] = []
            alone.add_params(found, model)
            for group, other in zip(groups, found, strict=True):
                for name in (mult, option):
                    group.pop(name, None)
                    if name in other:
                        group[name] = other[name]


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


@contextmanager
def _without_a_line_for_each_parameter() -> Iterator[None]:
    """Keep mmengine from logging options that are not yet the parameter's."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)


def _refuse_other_groups(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    saved, own = (
        [len(group['params']) for group in groups]
        for groups in (state['param_groups'], optimizer.param_groups)
    )
    if saved != own:
        raise ValueError(
            f'expected an optimiser with groups of {own} parameters, as the config makes them, got '
            f'a checkpoint with {saved}: it was trained with another network, constructor or '
            'paramwise_cfg; resume with the config that lies in its work dir, or start from its '
            'weights alone (load_from)'
        )
