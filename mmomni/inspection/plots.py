"""Histograms as inline SVG, the same bytes each time."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mmomni.utils.templates import render

from .summary import AREA_EDGES, SetSummary

COLOURS = {'train': '#4477aa', 'held out': '#ee6677'}
QUALITY_STEP = 5
# Of a plot, in pixels; left of its bars are the numbers.
WIDTH, HEIGHT, LEFT = 500, 260, 52
MOST_LEVEL_LABELS = 6
"""More are written at a slant."""

Bars = Mapping[str, Sequence[int]]


def quality_plot(sets: Sequence[SetSummary]) -> str | None:
    """JPEGs by libjpeg quality, in steps of five, and those with other tables."""
    labels = [f'{low + 1}-{low + QUALITY_STEP}' for low in range(0, 100, QUALITY_STEP)]
    bars = _by_side(sets, len(labels) + 1, _quality_counts)
    return _bar_plot('JPEG quality of the images', [*labels, 'other'], bars)


def area_plot(sets: Sequence[SetSummary]) -> str | None:
    """Masks by the share of tampered pixels."""
    labels = [f'{100 * low:g}-{100 * high:g} %' for low, high in pairwise(AREA_EDGES)]
    bars = _by_side(sets, len(labels), lambda row: np.array(row.area))
    return _bar_plot('Tampered share of the masks', labels, bars)


def format_plot(sets: Sequence[SetSummary]) -> str | None:
    """Images by file format."""
    labels = sorted({name for row in sets for name in row.formats})
    bars = _by_side(
        sets, len(labels), lambda row: np.array([row.formats.get(each, 0) for each in labels], int)
    )
    return _bar_plot('File formats', labels, bars)


def _quality_counts(row: SetSummary) -> np.ndarray:
    counts = np.zeros(100 // QUALITY_STEP + 1, dtype=int)
    for quality, count in row.jpeg_quality.items():
        counts[(quality - 1) // QUALITY_STEP] += count
    counts[-1] = row.non_standard
    return counts


def _by_side(sets: Sequence[SetSummary], length: int, counts: Any) -> Bars:
    sides = {name: np.zeros(length, dtype=int) for name in COLOURS}
    for row in sets:
        sides['train' if row.split == 'train' else 'held out'] += counts(row)
    return {name: side.tolist() for name, side in sides.items() if side.any()}


def _bar_plot(title: str, labels: Sequence[str], bars: Bars) -> str | None:
    """Stacked bars; ``None`` where there is nothing to count."""
    if not bars:
        return None
    highest = max(map(sum, zip(*bars.values(), strict=True)))
    turned = len(labels) > MOST_LEVEL_LABELS
    left, right, top, bottom = LEFT, WIDTH - 8, 34, HEIGHT - (58 if turned else 24)
    slot, unit = (right - left) / len(labels), (bottom - top) / highest
    rectangles = []
    below = np.zeros(len(labels), dtype=int)
    for name, counts in bars.items():
        for index, count in enumerate(counts):
            x, y = left + (index + 0.08) * slot, bottom - (below[index] + count) * unit
            rectangles.append((COLOURS[name], x, y, 0.84 * slot, count * unit))
        below += counts
    return render(
        'bar_plot.html.jinja',
        title=title,
        size=(WIDTH, HEIGHT),
        box=(left, right, top, bottom),
        labels=[(label, left + (index + 0.5) * slot) for index, label in enumerate(labels)],
        turned=turned,
        ticks=[(count, bottom - count * unit) for count in _ticks(highest)],
        rectangles=rectangles,
        legend=[(name, COLOURS[name]) for name in bars] if len(bars) > 1 else [],
    )


def _ticks(highest: int) -> range:
    """Whole numbers from 0 to at most ``highest``, about five: steps of 1, 2 or 5 tens."""
    steps = (factor * 10**power for power in range(19) for factor in (1, 2, 5))
    return range(0, highest + 1, next(step for step in steps if highest <= 6 * step))
