"""Scores as curves: over the area, over thresholds, over the strength of a perturbation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

AVERAGE = 'average'


def running_median(areas: np.ndarray, ious: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median area and IoU, each (N - n + 1,), of every n neighbours in area of N images, (N,).

    They are a fifth of the images, at least five; nothing for fewer images than that.
    """
    length = max(5, round(0.2 * len(areas)))
    if len(areas) < length:
        return np.empty(0), np.empty(0)
    order = np.argsort(areas, kind='stable')
    windows = (np.lib.stride_tricks.sliding_window_view(x[order], length) for x in (areas, ious))
    x, y = (np.median(window, axis=1) for window in windows)
    return x, y


def draw_area_plot(images: Mapping[str, Sequence[tuple[float, float]]], path: Path) -> None:
    """Save IoU against tampered area as a scatter with running medians.

    The images are given by domain, each as (share of tampered pixels, above 0; IoU).
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator

    figure = Figure(figsize=(8, 4.8), layout='constrained')
    axis = figure.subplots()
    total = sum(len(points) for points in images.values())
    for number, (domain, points) in enumerate(images.items()):
        areas, ious = np.array(points).T
        colour = f'C{number % 10}'
        size, alpha = (18, 0.6) if total < 1000 else (4, 0.25)
        axis.scatter(areas, ious, s=size, alpha=alpha, color=colour, linewidths=0)
        label = f'{domain} ({len(points)} images)'
        axis.plot(*running_median(areas, ious), color=colour, lw=2.2, label=label)
    axis.set_xscale('log')
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f'{100 * x:g}'))
    axis.set(
        xlabel='tampered area (% of the image, logarithmic)', ylabel='IoU', ylim=(-0.02, 1.02),
        title='IoU against tampered area',
    )  # fmt: skip
    axis.grid(alpha=0.3)
    axis.legend(title='line: running median', loc='upper left', bbox_to_anchor=(1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def draw_score_curves(histograms: Mapping[str, 'Tensor'], path: Path) -> None:
    """Save precision against recall, and the ROC curve, as one picture.

    A circle marks the threshold 0.5; a dotted line the precision of guessing. The histograms, by
    name, are of positives and negatives in equal intervals of [0, 1], highest first, (2, bins).
    """
    from matplotlib.figure import Figure

    from mmomni.evaluation.functional import average_precision, roc_auc

    figure = Figure(figsize=(11, 5 + 0.25 * len(histograms)), layout='constrained')
    curve, roc = figure.subplots(1, 2)
    for number, (name, counts) in enumerate(histograms.items()):
        style = dict(color=f'C{number % 10}', lw=1.6)
        positives, negatives = counts.double()
        at_half = len(positives) // 2 - 1
        hits, alarms = positives.cumsum(0), negatives.cumsum(0)
        found = hits + alarms > 0
        if positives.sum() > 0:
            recall, precision = hits / hits[-1], hits / (hits + alarms).clamp(min=1)
            label = f'{name}: AP {average_precision(positives, negatives):.3f}'
            curve.plot(recall[found], precision[found], label=label, **style)
            curve.axhline(float(hits[-1] / (hits[-1] + alarms[-1])), ls=':', **style)
            if found[at_half]:
                curve.plot(recall[at_half], precision[at_half], 'o', **style)
        if positives.sum() > 0 and negatives.sum() > 0:
            rates = (alarms / alarms[-1], hits / hits[-1])
            label = f'{name}: AUC {roc_auc(positives, negatives):.3f}'
            roc.plot(*rates, label=label, **style)
            roc.plot(rates[0][at_half], rates[1][at_half], 'o', **style)
    roc.plot([0, 1], [0, 1], ':', color='grey', lw=1.2)
    curve.set(xlabel='recall', ylabel='precision', title='tampered pixels: precision and recall')
    roc.set(xlabel='false-positive rate', ylabel='true-positive rate', title='tampered pixels: ROC')
    for axis in (curve, roc):
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[1]:
            axis.legend(
                loc='upper center', bbox_to_anchor=(0.5, -0.13),
                title='circle: threshold 0.5, dotted: guessing',
            )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def draw_reliability(histograms: Mapping[str, 'Tensor'], path: Path) -> None:
    """Save the share of tampered pixels against their probability, a curve for each name.

    On the dotted line probabilities are what they say; above it there is more tampering than they
    say. The larger a dot, the more pixels. Histograms are those of :func:`draw_score_curves`.
    """
    from matplotlib.figure import Figure

    from mmomni.evaluation.functional import reliability

    figure = Figure(figsize=(6, 5 + 0.25 * len(histograms)), layout='constrained')
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], ':', color='grey', lw=1.2)
    for number, (name, (positives, negatives)) in enumerate(histograms.items()):
        found = reliability(positives, negatives)
        colour, label = f'C{number % 10}', f'{name}: expected calibration error {found.error:.3f}'
        axis.plot(found.probability, found.tampered, color=colour, lw=1.4, label=label)
        axis.scatter(found.probability, found.tampered, s=8 + 200 * found.weight, color=colour)
    axis.set(
        xlabel='probability', ylabel='share of tampered pixels', title='reliability of the map',
        xlim=(-0.02, 1.02), ylim=(-0.02, 1.02),
    )  # fmt: skip
    axis.grid(alpha=0.3)
    axis.legend(loc='upper center', bbox_to_anchor=(0.5, -0.13))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


class Panel(NamedTuple):
    """One kind of perturbation.

    Attributes:
        label: What the values are, with their unit.
        ticks: The values, as a person reads them.
        lines: By what is plotted (a dataset, or ``AVERAGE``) and by score: one number a tick, NaN
            where there is none.
    """

    label: str
    ticks: Sequence[str]
    lines: Mapping[str, Mapping[str, Sequence[float]]]


def draw_robustness(panels: Sequence[Panel], scores: Sequence[str], title: str, path: Path) -> None:
    """Save curves as one picture: a column for each panel, a row for each score."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    size = (3.3 * len(panels) + 2.2, 2.6 * len(scores) + 0.8)
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(len(scores), len(panels), squeeze=False, sharey=True, sharex='col')
    names = sorted({name for panel in panels for name in panel.lines} - {AVERAGE})
    palette = mpl.colormaps['tab10' if len(names) <= 10 else 'tab20']
    styles = {
        name: dict(color=palette(i % palette.N), lw=1.2, ms=3) for i, name in enumerate(names)
    }
    styles[AVERAGE] = dict(color='black', lw=2.4, ms=4)
    handles = {}
    for column, panel in enumerate(panels):
        for row, score in enumerate(scores):
            axis = axes[row, column]
            for name, style in styles.items():
                if name in panel.lines:
                    (handles[name],) = axis.plot(panel.lines[name][score], 'o-', **style)
            axis.set_ylim(0, 1)
            axis.grid(alpha=0.3)
            axes[row, 0].set_ylabel(score)
        axes[-1, column].set_xticks(range(len(panel.ticks)), panel.ticks)
        axes[-1, column].set_xlabel(panel.label)
    order = [name for name in styles if name in handles]
    figure.legend([handles[name] for name in order], order, loc='outside right upper')
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
