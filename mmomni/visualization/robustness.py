from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

AVERAGE = 'average'


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
    colours = {name: palette(number % palette.N) for number, name in enumerate(names)}
    handles = {}
    for column, panel in enumerate(panels):
        for row, score in enumerate(scores):
            axis = axes[row, column]
            for name in (*names, AVERAGE):
                if name in panel.lines:
                    style = dict(color=colours.get(name, 'black'), lw=1.2, ms=3)
                    if name == AVERAGE:
                        style = dict(color='black', lw=2.4, ms=4)
                    (handles[name],) = axis.plot(panel.lines[name][score], 'o-', **style)
            axis.set_ylim(0, 1)
            axis.grid(alpha=0.3)
            axes[row, 0].set_ylabel(score)
        axes[-1, column].set_xticks(range(len(panel.ticks)), panel.ticks)
        axes[-1, column].set_xlabel(panel.label)
    order = [name for name in (*names, AVERAGE) if name in handles]
    figure.legend([handles[name] for name in order], order, loc='outside right upper')
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
