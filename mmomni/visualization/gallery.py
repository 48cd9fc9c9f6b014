from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

LONGEST_SIDE = 512


class GalleryRow(NamedTuple):
    """One image of a gallery.

    Attributes:
        image: RGB, ``uint8`` (H, W, 3).
        mask: 1 = tampered, (H, W).
        heat: Probability of "tampered", (H, W).
        label: Text at the left of the row.
        caption: Text over the overlay.
    """

    image: np.ndarray
    mask: np.ndarray
    heat: np.ndarray
    label: str
    caption: str


def shrink(row: GalleryRow) -> GalleryRow:
    """Make sides longer than ``LONGEST_SIDE`` so long: rows wait in memory and are drawn small."""
    scale = LONGEST_SIDE / max(row.image.shape[:2])
    if scale >= 1:
        return row
    height, width = (max(1, round(side * scale)) for side in row.image.shape[:2])
    resize = partial(cv2.resize, dsize=(width, height))
    return row._replace(
        image=resize(row.image, interpolation=cv2.INTER_AREA),
        mask=resize(row.mask.astype(np.uint8), interpolation=cv2.INTER_NEAREST_EXACT),
        heat=resize(row.heat.astype(np.float32), interpolation=cv2.INTER_AREA),
    )


def overlay(image: np.ndarray, heat: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Tint the pixels above ``threshold`` red and outline them; ``uint8`` (H, W, 3)."""
    predicted = (heat > threshold).astype(np.uint8)
    tinted = image.copy()
    tinted[predicted == 1] = tinted[predicted == 1] // 2 + np.array([127, 0, 0], dtype=np.uint8)
    contours = cv2.findContours(predicted, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    return cv2.drawContours(tinted, contours, -1, (255, 255, 0), max(1, min(heat.shape) // 200))


def draw_gallery(rows: Sequence[GalleryRow], path: Path) -> None:
    """Save input, ground truth, heat map and overlay of every row as one picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.6 * len(rows)), layout='constrained')
    axes = figure.subplots(len(rows), 4, squeeze=False)
    titles = ('input', 'ground truth', 'probability of "tampered"', 'prediction')
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title)
    for (first, truth, heat, last), row in zip(axes, rows, strict=True):
        first.imshow(row.image)
        first.set_ylabel(row.label, parse_math=False)
        truth.imshow(row.mask == 1, cmap='gray', vmin=0, vmax=1)
        heat.imshow(row.heat, cmap='inferno', vmin=0, vmax=1)
        last.imshow(overlay(row.image, row.heat))
        last.set_xlabel(row.caption, parse_math=False)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
