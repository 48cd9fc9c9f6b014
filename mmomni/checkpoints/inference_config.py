"""The part of a config that inference needs, as plain data that is safe to build from."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from mmomni.registry import MODELS

KEPT = ('default_scope', 'model', 'test_pipeline')
"""Top-level entries of an inference config."""
DROPPED = frozenset({'auxiliary_head', 'init_cfg', 'pretrained', 'train_cfg'})
"""Entries that only training reads; some would load files."""
SCOPES = ('mmomni', 'mmseg', 'mmdet', 'mmpretrain', 'mmengine')
"""Packages whose registered types a published config may name."""


def inference_config(config: Config) -> Config:
    """Leave out what only training reads: data, schedule, auxiliary heads, initial weights.

    Args:
        config: A whole config, its ``_base_`` files resolved.

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
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmseg')):
        return MODELS.build(config.model)


def refuse_unsafe(config: dict) -> None:
    """Refuse a config from a stranger's file that would do more than build registered modules.

    mmengine takes a ``type`` that is not registered as the path of any Python object, imports it
    and calls it, and reads the files named by ``_base_`` and ``init_cfg``.

    Raises:
        ValueError: It names something else than registered types.
    """
    unknown = sorted(set(config) - set(KEPT))
    if unknown or not isinstance(config.get('model'), dict):
        raise ValueError(
            f'expected a config of {", ".join(KEPT)}, got {", ".join(config) or "an empty one"}'
        )
    for key, value in _entries(config):
        # backbones load files under names like `checkpoint_path`
        if key in DROPPED or ('checkpoint' in key and isinstance(value, str)):
            raise ValueError(f'the config has an entry {key!r}, which inference does not need')
        if key in {'default_scope', '_scope_'} and value not in SCOPES:
            raise ValueError(f'the config names the package {value!r}, expected one of {SCOPES}')
        if key == 'type' and not _is_registered(value):
            raise ValueError(
                f'the config names the type {value!r}, which is not registered in an installed '
                f'package of {SCOPES}'
            )


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Keys and values at any depth."""
    if isinstance(value, dict):
        yield from value.items()
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _entries(item)


def _is_registered(name: object) -> bool:
    match = re.fullmatch(r'(?:(\w+)\.)?(\w+)', name) if isinstance(name, str) else None
    if match is None or (match[1] or 'mmseg') not in SCOPES:
        return False
    try:
        package = import_module(f'{match[1] or "mmseg"}.registry')
    except ImportError:
        return False
    registries = [package.MODELS, package.TRANSFORMS]
    if match[1] is None:  # then the name is also looked for in mmengine
        registries += [registry.parent for registry in registries]
    for registry in registries:
        registry.import_from_location()
    return any(match[2] in registry.module_dict for registry in registries)
