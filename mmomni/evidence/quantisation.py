"""Quantisation tables of a JPEG in words: how coarse they are, and whose."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import JpegPresets

from mmomni.jpeg.damage.scan_tables import scans_with_tables
from mmomni.jpeg.damage.structure import Structure
from mmomni.jpeg.quality import estimate_quality, nearest_quality
from mmomni.jpeg.stream import table_of

from .blocks import blocks_of
from .sections import Fact
from .software import COPIED, quality_texts
from .wording import NONE

_NAMES = ('Luma', 'Chroma')
_STANDARD = "exactly libjpeg's table (IJG), which most programs and web sites use"
_NOT_STANDARD = 'not standard: of a camera, a phone or a program with tables of its own'


def tables_of(structure: Structure) -> list[np.ndarray]:
    """The steps of each component, in the frame's order, row = vertical frequency; (8, 8) each.

    Those in force where its first scan begins. Components without a table are left out.
    """
    slots = dict(zip(structure.frame[6::3], structure.frame[8::3], strict=True))
    found: dict[int, np.ndarray] = {}
    for scan, tables in scans_with_tables(structure):
        for component in scan.components:
            steps = tables.steps.get(slots.get(component, -1))
            if component in slots and component not in found and steps is not None:
                found[component] = table_of(steps)
    return [found[component] for component in slots if component in found]


def quality_facts(structure: Structure, data: bytes) -> list[Fact]:
    """Quality of luma and chroma, whose the tables are, and what the file itself says of it."""
    tables = tables_of(structure)
    if not tables:
        return [Fact('Quantisation tables', 'none that a decoder would use')]
    facts = [
        _quality_of(name, table, chroma)
        for chroma, (name, table) in enumerate(zip(_NAMES, tables, strict=False))
    ]
    if len(tables) >= 3:
        same = np.array_equal(tables[1], tables[2])
        facts += [] if same else [Fact('Two chroma tables', 'they differ', 'rare')]
    return [*facts, Fact('Whose tables', _whose(tables)), _own_words(data)]


def _quality_of(name: str, table: np.ndarray, chroma: int) -> Fact:
    exact = estimate_quality(table, chroma=bool(chroma))
    if exact is not None:
        return Fact(f'{name} quality', str(exact), f'{_STANDARD}; steps {_range_of(table)}')
    # (some programs have the luma table for all components)
    if chroma and (as_luma := estimate_quality(table)) is not None:
        return Fact(f'{name} quality', str(as_luma), "libjpeg's table of luma, used for chroma")
    about = nearest_quality(table, chroma=bool(chroma))
    note = f"no table of libjpeg's; about as coarse as its quality {about}; steps"
    return Fact(f'{name} quality', f'about {about}', f'{note} {_range_of(table)}')


def _range_of(table: np.ndarray) -> str:
    return f'{table.min()} to {table.max()}'


def _whose(tables: Sequence[np.ndarray]) -> str:
    # some programs have the luma table for all components, libjpeg for those of CMYK
    kinds = [(False,) if index == 0 else (True, False) for index in range(len(tables))]
    if all(
        any(estimate_quality(table, chroma=chroma) is not None for chroma in chromas)
        for table, chromas in zip(tables, kinds, strict=True)
    ):
        return 'libjpeg (IJG) or a program with the same'
    names = _presets().get(b''.join(table.astype('>u2').tobytes() for table in tables[:2]))
    if names is not None:
        return f'Photoshop: {names}'
    return _NOT_STANDARD


@cache
def _presets() -> dict[bytes, str]:
    """Names by both tables, of those presets of Photoshop that Pillow has; not of all levels."""
    named: dict[bytes, list[str]] = {}
    presets: dict[str, dict[str, Any]] = JpegPresets.presets
    for name, preset in presets.items():
        pair = [np.array(steps) for steps in preset['quantization'][:2]]
        key = b''.join(steps.astype('>u2').tobytes() for steps in pair)
        how, level = ('Save for Web', name[4:]) if name.startswith('web_') else ('Save As', name)
        named.setdefault(key, []).append(f"'{level.replace('_', ' ')}' of {how}")
    return {key: ' or '.join(names) for key, names in named.items()}


def _own_words(data: bytes) -> Fact:
    """What a program wrote of the quality that it saved with."""
    said = quality_texts(blocks_of(data))
    return Fact('Quality in its own words', '; '.join(said) or NONE, COPIED if said else '')
