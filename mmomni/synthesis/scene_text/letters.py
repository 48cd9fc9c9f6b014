"""Candidates for letters in a photograph: OpenCV's maximally stable regions that look like some.

MSER: Matas et al., "Robust Wide Baseline Stereo from Maximally Stable Extremal Regions", 2002.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmomni.synthesis.scene import Box

# Heights of letters that can be read and forged, in pixels.
HEIGHT = (10, 160)
# Width over height, and how much of its box a letter fills; one that is a bar, as I, all of it.
ASPECT, FILL, BAR = (0.08, 1.7), (0.15, 0.95), 0.45
# Least difference of a letter and its surroundings, in grey levels.
CONTRAST = 28.0
# How far a stroke's width may vary along a letter: deviation over mean.
STROKE_SPREAD = 0.55
# Regions that overlap so much are one letter.
SAME = 0.5
# How much grey levels change until a region is another, and how much it may grow meanwhile.
DELTA, VARIATION = 6, 0.5
# Neighbours of a pixel, and those between a letter and the ground that is compared with it.
NEXT, RING = np.ones((3, 3), np.uint8), np.ones((5, 5), np.uint8)


class Letter(NamedTuple):
    """A region that may be a letter."""

    box: Box
    mask: np.ndarray  # bool (h, w), in its box
    dark: bool  # darker than what is around it
    colour: np.ndarray  # (3,), RGB, 0 to 255
    stroke: float  # mean width of its strokes in pixels
    contrast: float  # to what is around it, in grey levels
    uneven: float  # deviation of its own grey levels

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]

    @property
    def centre(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


def find_letters(image: np.ndarray) -> list[Letter]:
    """Regions of a photograph, ``uint8`` (H, W, 3), that may be letters: each place once."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    detector = cv2.MSER.create(DELTA, 20, HEIGHT[1] ** 2, VARIATION)
    regions, boxes = detector.detectRegions(grey)
    found = []
    for points, (x, y, w, h) in zip(regions, boxes, strict=True):
        if _has_the_form(len(points), w, h) and _inside(x, y, w, h, grey.shape):
            box = int(x), int(y), int(x + w), int(y + h)
            letter = _letter(image, grey, np.asarray(points), box)
            if letter is not None:
                found.append(letter)
    # A counter, the paper in an O, is a region of the other kind.
    kinds = ([one for one in found if one.dark is dark] for dark in (True, False))
    return [one for kind in kinds for one in _each_once(kind)]


def _has_the_form(area: int, width: int, height: int) -> bool:
    most = 1.0 if width <= BAR * height else FILL[1]
    return bool(
        HEIGHT[0] <= height <= HEIGHT[1]
        and ASPECT[0] * height <= width <= ASPECT[1] * height
        and FILL[0] <= area / (width * height) <= most
    )


def _inside(x: int, y: int, w: int, h: int, size: tuple[int, ...]) -> bool:
    return bool(x > 1 and y > 1 and x + w < size[1] - 1 and y + h < size[0] - 1)


def _letter(image: np.ndarray, grey: np.ndarray, points: np.ndarray, box: Box) -> Letter | None:
    """The letter in its box, unless strokes and contrast say that it is none."""
    x1, y1, x2, y2 = box
    bordered = np.zeros((y2 - y1 + 2, x2 - x1 + 2), np.uint8)  # for the distances
    bordered[points[:, 1] - y1 + 1, points[:, 0] - x1 + 1] = 1
    mask = bordered[1:-1, 1:-1]
    ring = 1 - cv2.dilate(bordered, RING)[1:-1, 1:-1]
    inner, patch = mask > 0, grey[y1:y2, x1:x2]
    # Above a letter that fills its box, as an I does.
    around = patch[ring > 0] if ring.any() else grey[y1 - 2, x1:x2]
    ink, ground = float(patch[inner].mean()), float(around.mean())
    if abs(ink - ground) < CONTRAST:
        return None
    distance = cv2.distanceTransform(bordered, cv2.DIST_L2, 3)
    ridge = distance[(distance == cv2.dilate(distance, NEXT)) & (bordered > 0)]
    stroke = float(ridge.mean())
    if ridge.std() > STROKE_SPREAD * stroke:
        return None
    colour = image[y1:y2, x1:x2][inner].mean(axis=0)
    uneven = float(patch[inner].std())
    return Letter(box, inner, ink < ground, colour, 2 * stroke - 1, abs(ink - ground), uneven)


def _each_once(letters: Sequence[Letter]) -> list[Letter]:
    """Of regions that share their place, the one of the highest contrast."""
    if not letters:
        return []
    ordered = sorted(letters, key=lambda one: -one.contrast)
    boxes = np.array([letter.box for letter in ordered], np.int64)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    left = np.ones(len(ordered), bool)
    kept = []
    for i in range(len(ordered)):
        if left[i]:
            kept.append(ordered[i])
            shared = np.minimum(boxes[:, 2:], boxes[i, 2:]) - np.maximum(boxes[:, :2], boxes[i, :2])
            overlap = shared.clip(0).prod(axis=1) / np.minimum(areas, areas[i])
            left &= overlap < SAME
    return kept
