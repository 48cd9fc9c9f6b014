"""Whether weights are numbers, on every rank."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.dist import all_gather_object, all_reduce, get_world_size
from mmengine.hooks import EMAHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

REMEDY = (
    '--resume goes through the same steps again, so change something before: a file that is '
    'broken, half precision (train without --amp), large gradients (--cfg-options '
    'optim_wrapper.clip_grad.max_norm=1); or start anew with a lower learning rate'
)
SHOWN = 8
"""Names that a message lists."""


class DivergedError(ArithmeticError):
    """Losses or weights are infinite or no numbers, on one rank at least; all ranks raise it."""


class Weight(NamedTuple):
    """A parameter, or a buffer."""

    name: str
    is_parameter: bool


def non_finite_tensors(module: nn.Module, prefix: str = '') -> list[Weight]:
    """Parameters and buffers of a module that hold an infinity or no number.

    One read of the host where all are finite.
    """
    parts = ((module.named_parameters(), True), (module.named_buffers(), False))
    named = [
        (Weight(prefix + name, is_parameter), tensor.detach())
        for tensors, is_parameter in parts
        for name, tensor in tensors
        if tensor.numel() and (tensor.is_floating_point() or tensor.is_complex())
    ]
    # A sum is not finite if one of its terms is not. (Finite terms may have such a sum, too.)
    sums = [t.sum(dtype=torch.promote_types(t.dtype, torch.float32)) for _, t in named]
    if not sums or bool(torch.stack([s.isfinite().to(sums[0].device) for s in sums]).all()):
        return []
    return [weight for weight, tensor in named if not bool(tensor.isfinite().all())]


def non_finite_weights(runner: Runner) -> list[Weight]:
    """Names of what is not finite on this rank: in the model, and its averages if there are any."""
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    bad = non_finite_tensors(model)
    for hook in runner.hooks:
        if isinstance(hook, EMAHook) and hasattr(hook, 'ema_model'):
            bad += non_finite_tensors(hook.ema_model.module, 'average of ')
    return bad


def on_any_rank(number: int) -> int:
    """The largest of the ranks' numbers. All ranks have to ask at once."""
    if get_world_size() == 1:
        return number
    largest = torch.tensor(number)
    all_reduce(largest, op='max')
    return int(largest)


def of_all_ranks(told: str) -> str:
    """What the ranks have to say, each once and with its number. All ranks have to ask at once."""
    if get_world_size() == 1:
        return told
    every: list[str] = all_gather_object(told)
    return '; '.join(f'rank {rank}: {line}' for rank, line in enumerate(every) if line)


def last_saved(runner: Runner) -> str:
    """What there is to go on from, as a part of a sentence."""
    path = runner.message_hub.get_info('last_ckpt')
    return f'{path} was saved before' if path else 'no checkpoint was saved before'


def some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - SHOWN
    return ', '.join(names[:SHOWN]) + (f' and {more} more' if more > 0 else '')
