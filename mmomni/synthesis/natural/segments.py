"""Outlines of things in an image: objects, segments grown from superpixels, drawn shapes."""

from collections.abc import Mapping

import cv2
import numpy as np

from mmomni.synthesis.geometry import size_of
from mmomni.utils.regions import AREA, Outline, place, random_contour

from .objects import WORK_SIDE, at_full_size, find_object, shrunk, whole

# Width of a superpixel on the small copy, in pixels.
CELL = 9
# Lab distance from the mean of a growing segment at which its next neighbour is another thing.
UNLIKE = 24.0
OBJECT, SEGMENT, SHAPE = 'object', 'segment', 'shape'
SHARES: Mapping[str, float] = {OBJECT: 0.6, SEGMENT: 0.25, SHAPE: 0.15}
# For what is cut out and shown elsewhere.
THINGS: Mapping[str, float] = {OBJECT: 0.8, SEGMENT: 0.14, SHAPE: 0.06}


def random_outline(
    image: np.ndarray,
    rng: np.random.Generator,
    area: tuple[float, float] = AREA,
    shares: Mapping[str, float] = SHARES,
) -> Outline | None:
    """The outline of an object, of a segment or of a drawn shape, which touches no border.

    The image is ``uint8`` (H, W, 3), ``area`` the smallest and largest share of it, ``shares`` how
    often each kind is tried first; what is not found gives way to the next kind in their order.
    ``None``: nothing found, or the drawn shape is too long for the image.
    """
    kinds = list(shares)
    first = kinds.index(str(rng.choice(kinds, p=list(shares.values()))))
    for kind in kinds[first:]:
        if kind == SHAPE:
            return _drawn(image, rng, area)
        mask = (find_object if kind == OBJECT else grow_segment)(image, rng, area)
        outline = None if mask is None else _outline_of(mask, kind, area)
        if outline is not None:
            return outline
    return None


def grow_segment(
    image: np.ndarray,
    rng: np.random.Generator,
    area: tuple[float, float],
    border: str | None = None,
) -> np.ndarray | None:
    """Superpixels of a watershed, joined from a random one on while their colours are alike.

    Image and ``area`` are as in :func:`random_outline`. With a ``border`` of ``'top'`` or
    ``'bottom'``, it is a sky or a ground, which begins there; else a segment that touches none. It
    is ``bool`` (H, W), or ``None``: what is alike is smaller than the smallest area.
    """
    small = shrunk(image, WORK_SIDE)
    labels, count = _superpixels(small, rng)
    flat = labels.ravel()
    sizes = np.bincount(flat, minlength=count).astype(np.float64)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float64)
    sums = np.stack([np.bincount(flat, lab[:, i], count) for i in range(3)], axis=1)
    colours = sums / np.maximum(sizes, 1)[:, None]
    neighbours = _adjacency(labels, count)
    free = sizes > 0
    if border is None:
        # What touches the border goes on outside of it.
        free[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = False
        if not free.any():
            return None
        start = int(rng.choice(np.flatnonzero(free)))
        goal = np.exp(rng.uniform(*np.log(area))) * labels.size
    else:  # all of it, as far as it is alike
        start = int(rng.choice(labels[0 if border == 'top' else -1]))
        goal = area[1] * labels.size
    inside = np.zeros(count, bool)
    inside[start] = True
    while (grown := sizes[inside].sum()) < goal:
        mean = sizes[inside] @ colours[inside] / grown
        reach = neighbours[inside].any(axis=0) & free & ~inside
        unlike = np.where(reach, np.linalg.norm(colours - mean, axis=1), np.inf)
        nearest = int(unlike.argmin())
        if unlike[nearest] > UNLIKE:
            break
        inside[nearest] = True
    if sizes[inside].sum() < area[0] * labels.size:
        return None
    return at_full_size(whole(inside[labels]), image)


def _superpixels(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Labels ``int32`` (h, w) from 0 on, and their number."""
    height, width = image.shape[:2]
    markers = np.zeros((height, width), np.int32)
    rows, columns = max(height // CELL, 1), max(width // CELL, 1)
    y = (np.arange(rows)[:, None] + rng.uniform(0.2, 0.8, (rows, columns))) * height / rows
    x = (np.arange(columns) + rng.uniform(0.2, 0.8, (rows, columns))) * width / columns
    markers[y.astype(int), x.astype(int)] = np.arange(1, rows * columns + 1).reshape(y.shape)
    cv2.watershed(cv2.GaussianBlur(image, (0, 0), 1), markers)
    labels = markers.astype(np.float32)
    for _ in range(2):  # the watershed leaves lines, and a frame, of -1
        labels = np.where(labels <= 0, cv2.dilate(labels, np.ones((3, 3), np.uint8)), labels)
    return np.maximum(labels, 1).astype(np.int32) - 1, rows * columns


def _adjacency(labels: np.ndarray, count: int) -> np.ndarray:
    """``bool`` (count, count): which labels are 4-connected neighbours."""
    matrix = np.zeros((count, count), bool)
    matrix[labels[:, 1:], labels[:, :-1]] = True
    matrix[labels[1:], labels[:-1]] = True
    return matrix | matrix.T


def _outline_of(mask: np.ndarray, kind: str, area: tuple[float, float]) -> Outline | None:
    # Things may be a little smaller or larger than a drawn shape would be.
    share = mask.mean()
    if not 0.6 * area[0] <= share <= 1.4 * area[1]:
        return None
    contours = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    points = max(contours, key=cv2.contourArea)[:, 0].astype(np.float64)
    x, y = points.min(axis=0).astype(int)
    height, width = mask.shape
    if min(x, y) < 1 or points[:, 0].max() >= width - 1 or points[:, 1].max() >= height - 1:
        return None
    return Outline(points - [x, y], (int(y), int(x)), kind)


def _drawn(
    image: np.ndarray, rng: np.random.Generator, area: tuple[float, float]
) -> Outline | None:
    size = size_of(image)
    contour = random_contour(size, rng, area)
    return None if contour is None else Outline(contour, place(contour, size, rng), SHAPE)
