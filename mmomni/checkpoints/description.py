"""What a published file says about its weights: plain data that is safe to build from.

Whoever reads it needs neither torch nor OpenMMLab.
"""

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple

from mmomni.evaluation.calibration import A_DOMAIN, is_domain
from mmomni.evaluation.image_score import IMAGE_POOLINGS

FORMAT = 1
"""Version of the published format."""
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
        SEGMENTOR, 'FCNHead', 'HRNet', 'SegDataPreProcessor', 'SegformerHead', 'UPerHead',
        'mmomni.AnomalyEnhancement', 'mmomni.DynamicWeightDecoder', 'mmomni.FrequencyPlanes',
        'mmomni.ModalGateEncoder', 'mmomni.RGBPlanes',
        'BN', 'SyncBN', 'GN', 'LN', 'GELU', 'ReLU',
    }
)  # fmt: skip
"""What a published config may name, beside backbones: types whose constructors read no files."""
BACKBONES = frozenset(
    {
        'MixVisionTransformer', 'ResNet', 'ResNetV1c', 'ResNetV1d', 'SwinTransformer',
        'mmomni.ConvNeXt', 'mmomni.ConvNeXtSwin', 'mmomni.EfficientNetLite', 'mmomni.TimmBackbone',
        'mmpretrain.ConvNeXt',
    }
)  # fmt: skip
"""Likewise, backbones that the package itself has adapters for."""
COMPARATORS = frozenset(
    {
        'mmomni.APSCHead',
        'mmomni.CATNet',
        'mmomni.DTDEncoder',
        'mmomni.DTDHead',
        'mmomni.EdgeHead',
        'mmomni.ExplicitVisualPrompting',
        'mmomni.HiFiEncoder',
        'mmomni.HiFiHead',
        'mmomni.MVSSEncoder',
        'mmomni.MVSSHead',
        'mmomni.MesorchEncoder',
        'mmomni.MesorchHead',
        'mmomni.SimpleFeaturePyramid',
        'mmomni.TIFDMHead',
        'mmomni.TruForEncoder',
        'mmomni.WindowedViT',
    }
)
"""Likewise, of :mod:`mmomni.models.comparators`, each type on a line of its own."""
_ADAPTERS = 'mmomni.models.stagewise'


class Description(NamedTuple):
    """What a published file says.

    Attributes:
        config: Entries ``model`` and ``default_scope``.
        calibrations: What ``mmomni calibrate`` found, for any number of rates of false alarms.
        card: Model card.
    """

    config: dict[str, Any]
    calibrations: tuple[dict, ...]
    card: dict


def description_text(description: Description) -> str:
    """The JSON text that :func:`parse_description` reads.

    Raises:
        ValueError: The config names types that those who receive it may not have or trust.
    """
    refuse_unsafe(description.config)
    return json.dumps(description._asdict() | dict(format=FORMAT), ensure_ascii=False)


def parse_description(text: str, path: Path) -> Description:
    """Description of a published file from its JSON text.

    Raises:
        ValueError: It is none, is of a later version, or its config is unsafe to build from.
    """
    try:
        fields = json.loads(text)
        if fields['format'] != FORMAT:
            raise ValueError(
                f'format {FORMAT} expected, got {fields["format"]}; use the mmomni that wrote it'
            )
        refuse_unsafe(fields['config'])
        calibrations = tuple(map(dict, fields['calibrations']))
        for calibration in calibrations:
            check_calibration(calibration)
        return Description(fields['config'], calibrations, dict(fields['card']))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f'{path}: its description cannot be used: {error!r}') from error


def check_calibration(calibration: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for what no ``mmomni calibrate`` wrote."""
    threshold, fpr = (calibration.get(field, math.nan) for field in ('threshold', 'fpr'))
    if not (
        type(threshold) in {int, float}
        and type(fpr) in {int, float}
        and 0 <= threshold < 1
        and 0 < fpr < 1
        and calibration.get('pooling') in IMAGE_POOLINGS
        and ('domain' not in calibration or is_domain(calibration['domain']))
    ):
        raise ValueError(
            'expected calibrations with threshold (from 0 to below 1), fpr (above 0, below 1), '
            f'pooling (one of {IMAGE_POOLINGS}) and, if any, domain ({A_DOMAIN}), got '
            f'{_of(calibration)}'
        )


def _of(calibration: Mapping[str, Any]) -> dict[str, Any]:
    """What of it decides; it may hold anything beside."""
    return {key: calibration.get(key) for key in ('threshold', 'fpr', 'pooling', 'domain')}


# ---- configs from strangers ------------------------------------------------------------------


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
    """Types that a published config may name: ours, and backbones that the encoder can run.

    Of the latter, those with adapters of somebody else's, too, who then has imported where they
    are registered: for a list of names alone, torch shall not be.
    """
    adapters: Any = sys.modules.get(_ADAPTERS)
    # Half imported, it has none yet.
    adapted: frozenset[str] = getattr(adapters, 'adapted_types', frozenset)()
    return TYPES | COMPARATORS | BACKBONES | {name.removeprefix(f'{SCOPE}.') for name in adapted}


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

