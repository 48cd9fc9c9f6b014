from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from mmomni.evaluation.functional import average_precision, roc_auc

MARKED_THRESHOLD = 0.5


def draw_score_curves(histograms: Mapping[str, Tensor], path: Path) -> None:
    """Save precision against recall, and the ROC curve, as one picture.

    A circle marks the threshold 0.5; a dotted line the precision of guessing.

    Args:
        histograms: By name: positives and negatives in equal intervals of [0, 1], highest first,
            (2, bins).
        path: Of the PNG.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5 + 0.25 * len(histograms)), layout='constrained')
    curve, roc = figure.subplots(1, 2)
    for number, (name, counts) in enumerate(histograms.items()):
        style = dict(color=f'C{number % 10}', lw=1.6)
        positives, negatives = counts.double()
        at_half = int(len(positives) * (1 - MARKED_THRESHOLD)) - 1
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
