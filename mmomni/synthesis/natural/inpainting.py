"""Filling holes: OpenCV's two inpainters, and patches of the image itself."""

from itertools import pairwise, product
from math import ceil

import cv2
import numpy as np

from mmomni.synthesis.geometry import shifted
from mmomni.utils.regions import blend, poisson

METHODS = ('telea', 'navier-stokes', 'exemplar')
MARGIN = 12
# Longest side of the copy in which patches are looked for, and of a hole filled by one, in pixels.
SEARCH_SIDE = 128
PATCH_SIDE = 96
# How many of the best places are drawn from.
BEST = 3
# Differences along a patch's border, in grey levels, that are blended away.
MISFIT = (2.0, 30.0)


def inpaint(
    image: np.ndarray, hole: np.ndarray, method: str, rng: np.random.Generator
) -> np.ndarray:
    """Fill a hole, ``bool`` (H, W), true somewhere, of an image, ``uint8`` (H, W, 3).

    Of ``METHODS``, ``'telea'`` and ``'navier-stokes'`` are OpenCV's and smooth; ``'exemplar'``
    copies patches, of the best ones any, whose surroundings are alike (the idea of Criminisi et
    al., "Object Removal by Exemplar-Based Inpainting", 2003, with one patch for each part of at
    most ``PATCH_SIDE`` pixels) and fits them in by Poisson blending.
    """
    flag = cv2.INPAINT_NS if method == 'navier-stokes' else cv2.INPAINT_TELEA
    window = window_around(hole, MARGIN)
    result = image.copy()
    patch = np.ascontiguousarray(image[window])
    result[window] = cv2.inpaint(patch, hole[window].astype(np.uint8), 3, flag)
    if method == 'exemplar':
        left = hole.copy()
        for part in _parts(hole):
            result = _patched(result, part, left, rng)
            left &= ~part
    return result


def window_around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The bounding box of a mask, grown by ``margin`` pixels inside of the image, as slices."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(rows[0] - margin, 0), rows[-1] + margin + 1),
        slice(max(columns[0] - margin, 0), columns[-1] + margin + 1),
    )


def roughness_around(image: np.ndarray, hole: np.ndarray) -> float:
    """Deviation of the grey levels of each colour, in a ring of 3 pixels around a hole."""
    window = window_around(hole, 4)
    image, hole = image[window], hole[window]
    grown = cv2.dilate(hole.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    ring = grown & ~hole
    # A colour's three levels differ, however smooth it is: each deviates from its own mean.
    return float(image[ring].std(axis=0).mean()) if ring.any() else np.inf


def _parts(hole: np.ndarray) -> list[np.ndarray]:
    """A hole cut into a grid of parts, each at most about ``PATCH_SIDE`` pixels a side."""
    sides = []
    for side in window_around(hole, 0):
        count = ceil((side.stop - side.start) / PATCH_SIDE)
        sides.append(pairwise(np.linspace(side.start, side.stop, count + 1, dtype=int)))
    parts = []
    for (y1, y2), (x1, x2) in product(*sides):
        part = np.zeros_like(hole)
        part[y1:y2, x1:x2] = hole[y1:y2, x1:x2]
        parts.append(part)
    return [part for part in parts if part.any()]


def _patched(
    image: np.ndarray, part: np.ndarray, hole: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Fill ``part`` with the best matching place that has no pixel in ``hole``."""
    shift = _best_shift(image, part, hole, rng)
    if shift is None:
        return image
    dy, dx = shift
    content = shifted(image, (-dx, -dy))
    # Poisson blending bleeds where patch and surroundings differ much, such as across an edge.
    rim = part & (cv2.erode(part.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    misfit = np.abs(content[rim].astype(np.float32) - image[rim]).max(axis=1)
    if MISFIT[0] <= np.quantile(misfit, 0.9) <= MISFIT[1]:
        content = poisson(image, content, part)
    return blend(image, content, part.astype(np.float32))


def _best_shift(
    image: np.ndarray, part: np.ndarray, hole: np.ndarray, rng: np.random.Generator
) -> tuple[int, int] | None:
    """(dy, dx) to a place whose surroundings are like those of ``part``, or ``None``."""
    scale = min(1.0, SEARCH_SIDE / max(image.shape[:2]))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    small_part, small_hole = (
        (cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0)
        for mask in (part, hole)
    )
    if not small_part.any():
        return None
    window = window_around(small_part, 5)
    known = (~small_hole[window]).astype(np.float32)
    cost = cv2.matchTemplate(
        small, small[window], cv2.TM_SQDIFF, mask=np.repeat(known[..., None], 3, axis=2)
    )
    overlap = cv2.matchTemplate(
        small_hole.astype(np.float32), small_part[window].astype(np.float32), cv2.TM_CCORR
    )
    cost[overlap > 0.5] = np.inf
    # Of the best, every fourth: their neighbours are nearly the same place.
    order = np.argsort(cost, axis=None, kind='stable')[: 4 * BEST : 4].tolist()
    possible = [i for i in order if np.isfinite(cost.flat[i])]
    if not possible:
        return None
    y, x = divmod(possible[int(rng.integers(len(possible)))], cost.shape[1])
    return round((y - window[0].start) / scale), round((x - window[1].start) / scale)
