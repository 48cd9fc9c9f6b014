"""Samples as a network gets them, drawn for people: contact sheets of planes, masks and boxes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from .maps import heat_map, outline_regions

LARGEST_COEFFICIENT = 20
CAPTION = 16
"""Pixels of the line below a sample."""
MARGIN = 4
BOX = (255, 200, 0)
PAPER = 255


class Drawn(NamedTuple):
    """One sample of a contact sheet.

    Attributes:
        image: RGB, ``uint8`` (H, W, 3).
        mask: 1 = tampered; (H, W).
        coefficients: ``|q|``, 0 to 20, (H, W); ``None`` of a picture that has none.
        boxes: Each ``x1, y1, x2, y2``, right and lower edges exclusive.
        caption: Text below it.
    """

    image: np.ndarray
    mask: np.ndarray
    coefficients: np.ndarray | None
    boxes: Sequence[Sequence[float]]
    caption: str


def draw_sample(sample: Drawn, side: int) -> np.ndarray:
    """RGB with the edges of the mask and boxes, the mask, and ``|q|``, side by side with a caption.

    Each of them lies in a square of ``side`` pixels; ``uint8`` (side + CAPTION, n side, 3). The
    mask is magenta over the darkened picture, so that also one of a few pixels, or of all, shows.
    """
    cells = [_outlined(sample, side), _tinted(sample, side)]
    if sample.coefficients is not None:
        # The root, because nearly all are small; each keeps its pixel where there is room.
        share = np.sqrt(sample.coefficients / LARGEST_COEFFICIENT, dtype=np.float32)
        cells.append(heat_map(_fitted(share, side)))
    canvas = np.full((side + CAPTION, len(cells) * side, 3), PAPER, np.uint8)
    for number, cell in enumerate(cells):
        height, width = cell.shape[:2]
        canvas[:height, number * side : number * side + width] = cell
    at = (2, side + CAPTION - 4)
    cv2.putText(
        canvas, sample.caption, at, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA
    )
    return canvas


def sheets(cells: Iterator[np.ndarray], columns: int, rows: int) -> Iterator[np.ndarray]:
    """Cells of one size, row by row, as many pictures as are needed; the last may be lower."""
    page: list[np.ndarray] = []
    for cell in cells:
        page.append(cell)
        if len(page) == columns * rows:
            yield _sheet(page, columns)
            page = []
    if page:
        yield _sheet(page, columns)


def _sheet(page: list[np.ndarray], columns: int) -> np.ndarray:
    blank = np.full_like(page[0], PAPER)
    page = page + [blank] * (-len(page) % columns)
    return np.vstack([np.hstack(page[i : i + columns]) for i in range(0, len(page), columns)])


def _scale(shape: Sequence[int], side: int) -> float:
    return (side - MARGIN) / max(shape[:2])


def _fitted(plane: np.ndarray, side: int, interpolation: int | None = None) -> np.ndarray:
    scale = _scale(plane.shape, side)
    if interpolation is None:
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    height, width = (max(1, round(length * scale)) for length in plane.shape[:2])
    return cv2.resize(plane, (width, height), interpolation=interpolation)


def _outlined(sample: Drawn, side: int) -> np.ndarray:
    image = np.ascontiguousarray(_fitted(sample.image, side))
    outline_regions(image, _mask(sample, side), [])
    scale = _scale(sample.image.shape, side)
    for box in sample.boxes:
        x1, y1, x2, y2 = (round(value * scale) for value in box)
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), BOX, 1)
    return image


def _tinted(sample: Drawn, side: int) -> np.ndarray:
    dark = _fitted(sample.image, side) // 2
    mask = _mask(sample, side) == 1
    dark[mask] = dark[mask] // 2 + np.array([127, 0, 127], np.uint8)
    return dark


def _mask(sample: Drawn, side: int) -> np.ndarray:
    """Of a mask that is drawn smaller, no pixel is lost."""
    share = _fitted((sample.mask == 1).astype(np.float32), side)
    return (share > 0).astype(np.uint8)
