"""Read checkpoints; one from a stranger must not be able to run code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import torch
from mmengine.config import Config
from torch import Tensor

from mmomni.models.pretrained.harmless import ALLOW, REMEDY, ZIP, read_torch_file
from mmomni.utils.config_values import values_of_config
from mmomni.utils.digests import DESCRIPTION, UnusableFileError, demand_digest

from .description import parse_description
from .inference import inference_config

TRAINING_ONLY = 'auxiliary_head.'
"""Prefix of the weights of heads that run in training only."""


class Checkpoint(NamedTuple):
    """A model for inference.

    Attributes:
        state_dict: Weights without those of training-only heads.
        config: Entries ``model`` and ``default_scope``; ``None`` if an unpublished file does not
            tell.
        calibrations: What ``mmomni calibrate`` found, for any number of rates of false alarms.
        card: Model card; empty for an unpublished file.
    """

    state_dict: dict[str, Tensor]
    config: Config | None
    calibrations: tuple[dict, ...]
    card: dict


def read_checkpoint(path: str | Path, trust: bool = False) -> Checkpoint:
    """Read a published checkpoint, or a training checkpoint that is trusted.

    Args:
        path: ``.safetensors``, or any file of ``torch.save``.
        trust: Read a file that was not published too, which can run any code.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: It is no checkpoint, is damaged, was changed after it was published, or was not
            published and is not trusted.
    """
    path = Path(path)
    if path.suffix == '.safetensors':
        return _read_safetensors(path)
    content = _load(path, trust, weights_only=not trust)
    text = _description_of(content)
    if text is not None:
        demand_digest(path)
        weights = tensors_of(content, path)
        _refuse_claims(weights, path)
        return _described(weights, text, path)
    if not trust:
        raise ValueError(f'{path} was not published; {REMEDY}')
    state_dict, config = tensors_of(content, path), _training_config(content, path, trust)
    return Checkpoint(state_dict, config and inference_config(config), (), {})


class Training(NamedTuple):
    """What a checkpoint of a training holds.

    Attributes:
        state_dict: Weights for inference.
        config: The whole one; ``None``: it holds none.
        iterations: Done so far; ``None``: it does not say.
        averaged: File, share and iterations of each checkpoint that it is the mean of.
    """

    state_dict: dict[str, Tensor]
    config: Config | None
    iterations: int | None
    averaged: tuple[dict, ...]


def read_training_checkpoint(path: Path, trust: bool = False) -> Training:
    """What a file holds; only a trusted one may have more than weights and records in it.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: It is no checkpoint, is damaged, was published already, or could run code and is
            not trusted.
    """
    content = _load_training(path, trust)
    tensors, config = tensors_of(content, path), _training_config(content, path, trust)
    meta = _meta(content)
    return Training(tensors, config, meta.get('iter'), tuple(meta.get('averaged', ())))


class Whole(NamedTuple):
    """All weights of a file.

    Attributes:
        state_dict: Of a training with its heads, of a published file without.
        meta: What mmengine notes; of a published file nothing.
        card: Of a published file; ``None``: it is a checkpoint of a training.
    """

    state_dict: dict[str, Tensor]
    meta: Mapping[str, Any]
    card: dict | None


def read_whole(path: Path, trust: bool = False) -> Whole:
    """Weights of a training, heads included, or of a published file.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: It is none of both, is damaged, or could run code and is not trusted.
    """
    content = None if path.suffix == '.safetensors' else _load(path, trust)
    if content is None or _description_of(content) is not None:
        published = read_checkpoint(path)
        return Whole(published.state_dict, {}, published.card)
    tensors_of(content, path)
    if 'state_dict' not in content:
        raise ValueError(f'{path}: expected a checkpoint of a training, got weights alone')
    return Whole(content['state_dict'], _meta(content), None)


def _load_training(path: Path, trust: bool) -> Any:
    content = None if path.suffix == '.safetensors' else _load(path, trust)
    if content is None or _description_of(content) is not None:
        raise ValueError(f'{path}: expected a checkpoint of a training, got a published one')
    return content


def read_weights(path: Path, trust: bool = False) -> dict[str, Tensor]:
    """Tensors of anybody's checkpoint, those of ``auxiliary_head`` apart.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: It is no checkpoint, is damaged, or holds more than weights and is not trusted.
    """
    return tensors_of(_load(path, trust), path)


def _described(weights: dict[str, Tensor], text: str, path: Path) -> Checkpoint:
    config, calibrations, card = parse_description(text, path)
    return Checkpoint(weights, Config(config), calibrations, card)


def _require(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f'expected a checkpoint, found no file {path}')


# ---- torch.save ------------------------------------------------------------------------------


def _load(path: Path, trust: bool, weights_only: bool = False) -> Any:
    """Content of a file of ``torch.save``; all of it if it is trusted, else what is harmless."""
    _require(path)
    with path.open('rb') as file:
        is_zip = file.read(len(ZIP)) == ZIP
    # Other forms are older than torch 1.6; no checkpoint of this project is.
    if not is_zip and not trust:
        raise ValueError(
            f'{path}: expected a checkpoint (a zip archive of torch.save), got another kind of '
            'file; one of torch before 1.6 must be saved anew by somebody who trusts it'
        )
    return read_torch_file(path, trust=trust, weights_only=weights_only)


def _description_of(content: Any) -> str | None:
    text = _meta(content).get(DESCRIPTION)
    return text if isinstance(text, str) else None


def tensors_of(content: Any, path: Path | str) -> dict[str, Tensor]:
    """Weights of inference from ``{'state_dict': {...}}`` or from the inner dict alone."""
    weights = content.get('state_dict', content) if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str) and torch.is_tensor(tensor) for name, tensor in weights.items()
    ):
        is_dict = isinstance(content, Mapping)
        raise ValueError(
            f'{path}: expected a dict of tensors, or one under the key state_dict, got '
            f'{sorted(map(str, content)) if is_dict else type(content).__name__}'
        )
    return {name: t for name, t in weights.items() if not name.startswith(TRAINING_ONLY)}


def _refuse_claims(weights: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that repeat what is stored: a few bytes can claim any size."""
    claimed = sum(each.numel() * each.element_size() for each in weights.values())
    if claimed > (size := path.stat().st_size):
        raise UnusableFileError(
            f'{path}: its weights claim {claimed:,} bytes in a file of {size:,}; the file is '
            'damaged, or made to use up memory'
        )


def _meta(content: Any) -> Mapping:
    meta = content.get('meta') if isinstance(content, Mapping) else None
    return meta if isinstance(meta, Mapping) else {}


def _training_config(content: Mapping, path: Path, trust: bool) -> Config | None:
    """The config that mmengine leaves in a training checkpoint, as Python text.

    What mmengine writes is values alone; any other text is a program, which is only run if the file
    is trusted.
    """
    text = _meta(content).get('cfg')
    if text is None:
        return None
    try:
        return Config(values_of_config(text))
    except ValueError as error:
        if not trust:
            raise UnusableFileError(
                f'{path}: its config is no list of plain values ({error}) but a program; {ALLOW}'
            ) from error
    try:
        return Config.fromstring(text, '.py')
    except Exception as error:
        raise ValueError(f'{path}: its config cannot be read: {error!r}') from error


# ---- safetensors -----------------------------------------------------------------------------


def _read_safetensors(path: Path) -> Checkpoint:
    _require(path)
    try:
        with safetensors.safe_open(path, framework='pt') as file:
            text = (file.metadata() or {}).get(DESCRIPTION)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ValueError(f'{path} is damaged, or no safetensors file: {error}') from error
    if text is None:
        raise ValueError(
            f'{path} was not published by tools/model_converters/publish_model.py: it does not '
            'tell its config'
        )
    demand_digest(path)
    return _described(tensors, text, path)
