"""Load weights into a model, and say what became of each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from .reading import TRAINING_ONLY, Checkpoint, tensors_of

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
"""Kinds of numbers that weights may have in a file; a model has them in its own."""


class LoadReport(NamedTuple):
    """What became of the weights of a file and of a model, by name.

    Attributes:
        matched: Loaded as they are.
        inflated: Loaded into a stem with more input planes; these start without influence.
        new: Of the model, not in the file; training-only heads apart.
        unused: In the file, not of the model.
    """

    matched: tuple[str, ...]
    inflated: tuple[str, ...]
    new: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        """A line for each kind; names are given by their first parts and counted."""
        return '\n'.join(f'{kind}: {_summary(names)}' for kind, names in self._asdict().items())


def _summary(names: Sequence[str], depth: int = 2) -> str:
    if not names:
        return 'none'
    parts = Counter('.'.join(name.split('.')[:depth]) for name in names)
    listed = ', '.join(f'{part} ({number})' for part, number in parts.items())
    return f'{len(names)}, of {listed}'


def load_partly(model: nn.Module, state_dict: Mapping[str, Tensor]) -> LoadReport:
    """Load what fits by name; the rest of the model stays as it is.

    Raises:
        ValueError: Of equal names some have other shapes or kinds of numbers, or nothing fits.
    """
    own = model.state_dict()
    _refuse_other_numbers(own, state_dict)
    shapes = {name: tensor.shape for name, tensor in own.items()}
    try:
        result = model.load_state_dict(dict(state_dict), strict=False)
    except RuntimeError as error:  # torch lists all names with both shapes, a line each
        _, *lines = str(error).splitlines()
        raise ValueError(
            'the weights are of another model, or of another size of it: '
            f'{len(lines)} shapes differ, the first is {lines[0].strip()}'
        ) from error
    loaded = [name for name in state_dict if name in shapes]
    if not loaded:
        raise ValueError(
            f'the weights are of another model: no name fits, it has {_summary(tuple(shapes))}, '
            f'the file has {_summary(tuple(state_dict))}'
        )
    inflated = tuple(name for name in loaded if state_dict[name].shape != shapes[name])
    return LoadReport(
        matched=tuple(name for name in loaded if name not in inflated),
        inflated=inflated,
        new=tuple(name for name in result.missing_keys if not name.startswith(TRAINING_ONLY)),
        unused=tuple(result.unexpected_keys),
    )


def _refuse_other_numbers(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Others, bytes or complex numbers, torch would turn into weights without a word."""
    others = [
        f'{name} of {weights[name].dtype} instead of {tensor.dtype}'
        for name, tensor in own.items()
        if name in weights and not _are_alike(weights[name], tensor)
    ]
    if others:
        more = f' and {len(others) - 1} more' if len(others) > 1 else ''
        raise ValueError(
            f'the weights are numbers of another kind: {others[0]}{more}; expected '
            f'{", ".join(map(str, FLOATS))}, and whole numbers where the model counts'
        )


def _are_alike(weight: Tensor, own: Tensor) -> bool:
    dtypes = (own.dtype, *FLOATS) if own.is_floating_point() else (own.dtype,)
    return weight.dtype in dtypes and weight.layout is torch.strided


def demand_fit(model: nn.Module, path: str) -> None:
    """Load a checkpoint as :func:`load_weights` does, where mmengine only logs a misfit.

    The model is the one inside of the wrapper of several ranks, the path a file or address of a
    training's or a published ``.pth``.

    Raises:
        ValueError: Weights are missing or have other shapes, or it is no checkpoint.
    """
    content = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    weights = {
        name.removeprefix('module.'): tensor
        for name, tensor in tensors_of(content, path).items()
    }
    try:
        load_weights(model, Checkpoint(weights, None, (), {}))
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def load_weights(model: nn.Module, checkpoint: Checkpoint) -> LoadReport:
    """Load a checkpoint for inference: every weight that inference uses must be in it.

    Raises:
        ValueError: Weights are missing or have other shapes.
    """
    report = load_partly(model, checkpoint.state_dict)
    if report.new or report.inflated:
        raise ValueError(
            f'the checkpoint does not fit the model: it lacks {_summary(report.new, depth=4)}\n'
            f'{report}\ncheck that the config is that of the checkpoint'
        )
    return report
