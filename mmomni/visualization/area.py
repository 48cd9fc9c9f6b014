from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

FEWEST_IN_WINDOW = 5
WINDOW_SHARE = 0.2


def running_median(areas: np.ndarray, ious: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians over neighbours in area: a fifth of the images at a time, at least five.

    Args:
        areas: (N,).
        ious: (N,).

    Returns:
        Median area and median IoU of each window of neighbours; empty for fewer than five images.
    """
    length = max(FEWEST_IN_WINDOW, round(WINDOW_SHARE * len(areas)))
    if len(areas) < length:
        return np.empty(0), np.empty(0)
    order = np.argsort(areas, kind='stable')
    windows = (np.lib.stride_tricks.sliding_window_view(x[order], length) for x in (areas, ious))
    x, y = (np.median(window, axis=1) for window in windows)
    return x, y


def draw_area_plot(images: Mapping[str, Sequence[tuple[float, float]]], path: Path) -> None:
    """Save IoU against tampered area as a scatter with running medians.

    Args:
        images: By domain: (share of tampered pixels, above 0; IoU) of each image.
        path: Of the PNG.
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
