"""Histograms as inline SVG, the same bytes each time."""

from collections.abc import Mapping, Sequence
from io import StringIO
from itertools import pairwise
from typing import Any

import numpy as np

from .summary import AREA_EDGES, SetSummary

COLOURS = {'train': '#4477aa', 'held out': '#ee6677'}
QUALITY_STEP = 5

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
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context({'svg.hashsalt': title, 'svg.fonttype': 'none', 'font.size': 9}):
        figure = Figure(figsize=(5.2, 2.7), layout='constrained')
        axes = figure.subplots()
        below = np.zeros(len(labels), dtype=int)
        for name, counts in bars.items():
            axes.bar(range(len(labels)), counts, 0.85, below, color=COLOURS[name], label=name)
            below += counts
        axes.set_title(title, loc='left')
        axes.set_xticks(range(len(labels)), labels)
        if len(labels) > 6:
            axes.tick_params(axis='x', rotation=60)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[['top', 'right']].set_visible(False)
        axes.margins(x=0.01)
        if len(bars) > 1:
            axes.legend(loc='lower right', bbox_to_anchor=(1, 1), ncols=2, frameon=False)
        buffer = StringIO()
        figure.savefig(buffer, format='svg', metadata={'Date': None})
    svg = buffer.getvalue()
    return svg[svg.index('<svg') :]
