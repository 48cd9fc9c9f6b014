"""The part of a config that inference needs, and the model that it describes."""

from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from mmomni.registry import MODELS

from .description import DROPPED, KEPT, SCOPE


def inference_config(config: Config) -> Config:
    """Leave out what only training reads: data, schedule, auxiliary heads, initial weights.

    The config is a whole one, its ``_base_`` files resolved.

    Raises:
        ValueError: There is no model, or an entry is not plain data.
    """
    if 'model' not in config:
        raise ValueError(f'expected a config with an entry `model`, got {sorted(config)}')
    whole = config.to_dict()
    return Config({key: _plain(whole[key], key) for key in KEPT if key in whole})


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in DROPPED}
        return {key: _plain(item, f'{name}.{key}') for key, item in kept.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f'{name}[{index}]') for index, item in enumerate(value)]
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(
        f'{name}: expected text, a number, a list or a dict, got {value!r}; a published config '
        'holds plain data only'
    )


def build_model(config: Config) -> nn.Module:
    """The model of an inference config, with weights as they happen to be drawn."""
    with DefaultScope.overwrite_default_scope(config.get('default_scope', SCOPE)):
        return MODELS.build(config.model)
