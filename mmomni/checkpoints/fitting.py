"""A model with the weights of a checkpoint, which are compared before any memory is taken."""

import warnings
from collections.abc import Callable, Collection
from typing import Any

import torch
from mmengine.config import Config
from torch import nn
from torch.overrides import TorchFunctionMode

from .inference import build_model
from .loading import load_weights
from .reading import Checkpoint

ALLOCATING = {torch.empty, torch.full, torch.ones, torch.rand, torch.randn, torch.zeros}
"""What weights are made by. Whatever else a constructor calls has values that it may read."""
REFUSALS = (ValueError, AssertionError, TypeError, RuntimeError, ArithmeticError)
"""What a constructor of ours or of mmseg raises for values that it cannot use."""
FILLING = {
    'add_', 'clamp_', 'constant_', 'copy_', 'div_', 'erfinv_', 'fill_', 'kaiming_uniform_', 'mul_',
    'normal_', 'sub_', 'uniform_', 'zero_',
}  # fmt: skip
"""What draws initial weights: nothing to do without memory, at which torch takes its time."""

SPARE = 10_000
"""Tensors that a model may have beside four times those of its checkpoint: a large one of another
config is still told by its names."""


def build_fitting(config: Config, checkpoint: Checkpoint) -> nn.Module:
    """The model of an inference config with the weights of a checkpoint.

    Names, shapes and kinds of numbers are compared with a model that has sizes alone, so that
    neither a config nor a file can ask for more memory than the weights have that are there.

    Raises:
        ValueError: Weights are missing, have other shapes or are no real numbers; or the config
            cannot be built, in one line with its entry.
    """
    try:
        sizes = _sizes_of(config, most=SPARE + 4 * len(checkpoint.state_dict))
        if sizes is not None:
            with warnings.catch_warnings():
                warnings.filterwarnings('ignore', '.*meta parameter')  # nothing is copied
                load_weights(sizes, checkpoint)
        model = build_model(config)
    except Exception as error:
        from mmomni.engine.building import fault_of_config

        if fault := fault_of_config(error, config, REFUSALS):
            raise ValueError(fault) from error
        raise
    load_weights(model, checkpoint)
    return model


class _SizesAlone(TorchFunctionMode):
    """Tensors that are allocated inside have a size and no memory.

    Args:
        most: So many, or a ``ValueError``: modules without memory still take time and room.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = self.most = most

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in ALLOCATING:
            self.left -= 1
            if self.left < 0:
                raise ValueError(f'more than {self.most:,} tensors, the checkpoint has far fewer')
            kwargs['device'] = 'meta'
        elif getattr(func, '__name__', '') in FILLING:
            filled = args[0] if args else kwargs['tensor']
            if filled.is_meta:
                return filled
        return func(*args, **kwargs)


def _sizes_of(config: Config, most: int) -> nn.Module | None:
    """A model without memory; ``None`` where a constructor reads the values of its weights."""
    try:
        with _SizesAlone(most):
            return build_model(config)
    except NotImplementedError:  # of tensors without data
        return None
    except RuntimeError as error:
        if 'meta' in str(error):
            return None
        raise
