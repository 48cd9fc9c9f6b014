"""Regions whose place is known to the pixel, in the place of those that are found at random."""

import cv2
import numpy as np

from mmomni.utils.regions import Outline


def rectangle(y: int, x: int, height: int, width: int, kind: str = 'object') -> Outline:
    """The outline of the pixels ``[y : y + height, x : x + width]``."""
    right, bottom = width - 1.0, height - 1.0
    contour = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]])
    return Outline(contour, (y, x), kind)


def mask_of(outline: Outline, size: tuple[int, int]) -> np.ndarray:
    """Where a :func:`rectangle` lies, ``bool`` (H, W)."""
    (y, x), (right, bottom) = outline.at, outline.contour.max(axis=0).astype(int)
    mask = np.zeros(size, bool)
    mask[y : y + bottom + 1, x : x + right + 1] = True
    return mask


def inside(mask: np.ndarray, depth: int) -> np.ndarray:
    """What of a mask lies deeper than ``depth`` pixels, corners too."""
    side = 2 * depth + 1
    return cv2.erode(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def disc(
    size: tuple[int, int] = (240, 320), centre: tuple[int, int] = (130, 150), radius: int = 45
) -> tuple[np.ndarray, np.ndarray]:
    """A red disc on a blue ground with some noise, and where it is."""
    y, x = np.mgrid[: size[0], : size[1]]
    inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2
    image = np.where(inside[..., None], (200, 60, 50), (60, 90, 170))
    image = image + np.random.default_rng(0).normal(0, 6, (*size, 3))
    return image.clip(0, 255).astype(np.uint8), inside


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return (one & other).sum() / (one | other).sum()
