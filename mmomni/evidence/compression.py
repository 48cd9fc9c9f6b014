"""What a file tells of its compressions: how the last was done, and of any before it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmomni.jpeg import ImageReadError, decode, has_luma, read_luma
from mmomni.jpeg.damage.integrity import has_false_pixels
from mmomni.jpeg.damage.structure import structure_of
from mmomni.jpeg.guarded import check_image
from mmomni.jpeg.quality import standard_table
from mmomni.jpeg.stream import START, ZIGZAG
from mmomni.utils.file_kinds import HEAD_BYTES, certain_image_format

from .coefficient_plot import draw_histograms
from .coefficients import FALSE_ALARMS, LEAST_STRONG, MISSED, Trace, is_double, traces_of
from .dct_blocks import BLOCK, central, pixels_of
from .grid import FALSE_GRIDS, LEAST_RATIO, MISSED_GRIDS, Grid, strongest_grid
from .jpeg_form import form_facts
from .quantisation import quality_facts
from .sections import Fact, Section

TITLE = 'Compression'
HISTOGRAMS = 'Histograms of DCT coefficients'
SIDE = 768
"""Rows and columns of pixels, from the middle, that are looked at: the rates hold for so many."""
_NAME = 'the file'


class _Looked(NamedTuple):
    """Parts of a picture, from its middle; coefficients and table only of a JPEG's luma."""

    luma: np.ndarray
    coefficients: np.ndarray | None
    table: np.ndarray | None
    of_jpeg: bool


def compression_section(data: bytes, notes: Sequence[str] = ()) -> Section:
    """Facts on the compressions of a file, with the histograms of its coefficients.

    Of a JPEG: its tables and whose they are, its form, its markers, what follows its end; then, of
    the middle of its luma, whether it was compressed before on the same grid of blocks
    (:mod:`.coefficients`) or on another (:mod:`.grid`). Of any other file, whether its pixels
    show the grid of an earlier JPEG. The rates of error that were measured stand in those modules.

    Args:
        data: A whole file of any kind; what cannot be read is said to be so, nothing raises.
        notes: What reading it has found. With some it is asked whether pixels were made up.
    """
    try:
        check_image(data, _NAME)
    except ImageReadError as error:
        return Section(TITLE, (Fact('Examined', 'no', str(error)),))
    facts = [*_stored(data)]
    try:
        looked = _looked_at(data)
    except ImageReadError as error:
        return Section(TITLE, (*facts, Fact('Earlier compression', 'cannot tell', str(error))))
    coefficients, table = looked.coefficients, looked.table
    traces = [] if coefficients is None or table is None else traces_of(coefficients, table)
    facts += _earlier(looked, traces, bool(notes) and has_false_pixels(data))
    pictures = {HISTOGRAMS: draw_histograms(traces)} if traces else {}
    return Section(TITLE, tuple(facts), pictures, are_upright=True)


def _stored(data: bytes) -> Iterator[Fact]:
    if not data.startswith(START):
        kind = certain_image_format(data[:HEAD_BYTES])
        yield Fact('Format', f'no JPEG ({kind.upper() if kind else "unknown"})')
        return
    yield Fact('Format', 'JPEG')
    structure = structure_of(data)
    yield from quality_facts(structure, data)
    yield from form_facts(structure, data)


def _looked_at(data: bytes) -> _Looked:
    """The middle of a picture.

    Raises:
        ImageReadError: It cannot be decoded.
    """
    if has_luma(data):
        luma = read_luma(data, name=_NAME)
        coefficients = np.ascontiguousarray(central(luma.coefficients, SIDE))
        pixels = pixels_of(coefficients, luma.table)
        return _Looked(pixels, coefficients, luma.table, True)
    pixels = np.ascontiguousarray(central(decode(data, _NAME), SIDE))
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return _Looked(grey, None, None, data.startswith(START))


def _earlier(looked: _Looked, traces: Sequence[Trace], is_made_up: bool) -> Iterator[Fact]:
    rows, columns = (side // BLOCK for side in looked.luma.shape)
    note = 'the middle of the picture'
    if is_made_up:
        note += '; the file is damaged (Integrity), and what was made up of it counts here, too'
    yield Fact('Looked at', f'{columns} x {rows} blocks of 8 x 8', note)
    if looked.coefficients is not None:
        yield from _same_grid(traces, is_made_up)
    elif looked.of_jpeg:
        yield Fact(
            'Compressed before, same grid', 'cannot tell', 'its first component is no luma'
        )
    yield _other_grid(strongest_grid(looked.luma, looked.of_jpeg), looked.of_jpeg)


def _same_grid(traces: Sequence[Trace], is_made_up: bool) -> Iterator[Fact]:
    term = 'Compressed before, same grid'
    double = is_double(traces)
    if is_made_up and not double:
        yield Fact(term, 'cannot tell', 'parts of the picture are missing')
        return
    if double is None:
        note = f'fewer than {LEAST_STRONG} histograms have values enough: too small, flat or coarse'
        yield Fact(term, 'cannot tell', note)
        return
    strong = [trace for trace in traces if trace.is_strong]
    of = f'{len(strong)} of {len(traces)} histograms have the period of another step'
    if not double:
        yield Fact(term, 'no trace', f'{of}; {MISSED}')
        return
    yield Fact(term, 'yes', f'{of}; {FALSE_ALARMS}')
    steps = ', '.join(f'{_name(trace)} {trace.earlier} (now {trace.step})' for trace in strong)
    yield Fact('Earlier steps', steps, 'estimated, from the periods')
    yield _earlier_quality(strong)


def _name(trace: Trace) -> str:
    return f'AC {trace.number}' if trace.number else 'DC'


def _earlier_quality(strong: Sequence[Trace]) -> Fact:
    """The quality of libjpeg's tables that has most of the earlier steps."""
    agreeing = {
        quality: sum(_standard_step(quality, trace) == trace.earlier for trace in strong)
        for quality in range(1, 101)
    }
    most = max(agreeing.values())
    best = [quality for quality, count in agreeing.items() if count == most]
    term = 'Earlier quality'
    if most < LEAST_STRONG or 2 * most < len(strong):
        return Fact(term, "none of libjpeg's", 'the earlier table was not a standard one')
    value = f'{best[0]}' if len(best) == 1 else f'{best[0]} to {best[-1]}'
    return Fact(term, value, f"{most} of {len(strong)} earlier steps are those of libjpeg's table")


def _standard_step(quality: int, trace: Trace) -> int:
    return int(standard_table(quality).flat[ZIGZAG[trace.number]])


def _other_grid(grid: Grid | None, of_jpeg: bool) -> Fact:
    term = 'Earlier grid of 8x8 blocks' + (', other than its own' if of_jpeg else '')
    if grid is None:
        return Fact(term, 'cannot tell', 'the picture is too small')
    if not grid.is_certain:
        return Fact(term, 'cannot tell', f'no grid stands out from the other 63; {MISSED_GRIDS}')
    confidence = 'high' if grid.ratio >= 2 * LEAST_RATIO else 'moderate'
    value = f'at ({grid.across}, {grid.down}) px from the upper left corner'
    note = f'confidence {confidence}: {grid.ratio:.1f} times as strong as the next of 64; '
    cropped = 'compressed as JPEG, cropped or moved, and saved again' if of_jpeg else (
        'its pixels were once decoded from a JPEG'
    )  # fmt: skip
    return Fact(term, value, f'{note}{cropped}; {FALSE_GRIDS}')
