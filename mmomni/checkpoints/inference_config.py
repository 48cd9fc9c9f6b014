"""The part of a config that inference needs, as plain data that is safe to build from."""

import re
from collections.abc import Iterator, Set
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from mmomni.models.stagewise import adapted_types
from mmomni.registry import MODELS

KEPT = ('default_scope', 'model')
"""Top-level entries of an inference config."""
DROPPED = frozenset(
    {'auxiliary_head', 'init_cfg', 'loss_decode', 'pretrained', 'sampler', 'train_cfg'}
)
"""Entries that only training reads; some would load files."""
SCOPE = 'mmseg'
"""Package in which types without prefix are looked for, and then in mmengine."""
SEGMENTOR = 'EncoderDecoder'
TYPES = frozenset(
    {
        SEGMENTOR, 'FCNHead', 'MixVisionTransformer', 'SegDataPreProcessor', 'SegformerHead',
        'UPerHead', 'mmomni.AnomalyEnhancement', 'mmomni.DynamicWeightDecoder',
        'mmomni.FrequencyPlanes', 'mmomni.ModalGateEncoder', 'mmomni.RGBPlanes',
        'BN', 'SyncBN', 'GN', 'LN', 'GELU', 'ReLU',
    }
)  # fmt: skip
"""What a published config may name, beside backbones with an adapter: types whose constructors read
no files."""
COMPARATORS = frozenset(
    {
        'mmomni.APSCHead',
        'mmomni.ExplicitVisualPrompting',
        'mmomni.MesorchEncoder',
        'mmomni.MesorchHead',
        'mmomni.SimpleFeaturePyramid',
        'mmomni.TIFDMHead',
        'mmomni.WindowedViT',
    }
)
"""Likewise, of :mod:`mmomni.models.comparators`, each type on a line of its own."""


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


def refuse_unsafe(config: dict) -> None:
    """Refuse a config from a stranger's file that would do more than build known modules.

    mmengine takes a ``type`` that is not registered as the path of any Python object, imports it
    and calls it; constructors of registered types load the files that they are given, pickles
    among them.

    Raises:
        ValueError: It names something else than :func:`allowed_types`, or has an entry that could
            name a file.
    """
    unknown = sorted(set(config) - set(KEPT))
    if unknown or not isinstance(config.get('model'), dict):
        raise ValueError(
            f'expected a config of {", ".join(KEPT)}, got {", ".join(config) or "an empty one"}'
        )
    for key, value in _entries(config):
        if key in DROPPED:
            raise ValueError(f'the config has an entry {key!r}, which inference does not need')
        if key in {'default_scope', '_scope_'} and value != SCOPE:
            raise ValueError(f'the config names the package {value!r}, expected {SCOPE!r}')
        if key == 'type':
            _require_type(value, allowed_types())
        elif isinstance(value, str) and not re.fullmatch(r'[\w-]{1,64}', value):
            raise ValueError(
                f'the config has the entry {key} = {value[:100]!r}, expected a word of letters, '
                'digits, _ and -, not what could be a file'
            )
    _require_type(config['model'].get('type'), {SEGMENTOR})


def allowed_types() -> frozenset[str]:
    """Types that a published config may name: ours, and backbones that the encoder can run."""
    return TYPES | COMPARATORS | {name.removeprefix(f'{SCOPE}.') for name in adapted_types()}


def _require_type(name: object, allowed: Set[str]) -> None:
    if not isinstance(name, str) or name.removeprefix(f'{SCOPE}.') not in allowed:
        raise ValueError(
            f'the config names the type {name!r}, a published one may have here: '
            f'{", ".join(sorted(allowed))}'
        )


def _entries(value: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    """Keys and values at any depth; items of a list have the key of the list."""
    pairs = value.items() if isinstance(value, dict) else [(key, item) for item in value]
    for name, item in pairs:
        yield name, item
        if isinstance(item, dict | list):
            yield from _entries(item, name)
