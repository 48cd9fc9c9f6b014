"""Shapes of tampered regions: contours, soft mattes, and the boxes of a mask.

A *contour* is ``float64`` (N, 2), points (x, y) in pixels. A *matte* is ``float32`` (H, W) in
[0, 1]: the share of the forged content in a pixel. A mask is where the matte exceeds 0.5.
"""

from typing import NamedTuple

import cv2
import numpy as np

AREA = (0.03, 0.25)
# Widths of a region's border in pixels: cut out hard, antialiased, feathered, brushed softly.
FEATHERS = ((0, 0), (1, 1), (2, 4), (5, 9))
FEATHER_SHARES = (0.2, 0.35, 0.35, 0.1)


class Outline(NamedTuple):
    """The outline of a region."""

    contour: np.ndarray  # with its bounding box at the origin
    at: tuple[int, int]  # (y, x) of the bounding box in the image where it was found
    kind: str  # 'object', 'segment', or 'shape': a drawn one


def ellipse(rng: np.random.Generator) -> np.ndarray:
    """A contour around the origin, longest half-axis 1, aspect up to 2.5, any rotation."""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    points = np.stack([np.cos(angle), np.sin(angle) / rng.uniform(1, 2.5)], axis=1)
    return _rotate(points, rng.uniform(0, np.pi))


def rectangle(rng: np.random.Generator) -> np.ndarray:
    """A contour around the origin: a rectangle, two times in three upright."""
    points = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) / [1, rng.uniform(1, 2.5)]
    upright = rng.random() < 2 / 3
    return _rotate(points, rng.integers(2) * np.pi / 2 if upright else rng.uniform(0, np.pi))


def blob(rng: np.random.Generator) -> np.ndarray:
    """A contour around the origin: an irregular smooth outline, a few Fourier terms."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    radius = np.ones_like(angle)
    for frequency in range(2, 8):
        size = rng.normal(0, 0.32 / frequency)
        radius += size * np.cos(frequency * angle + rng.uniform(0, 2 * np.pi))
    radius = radius.clip(0.25)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None]
    points[:, 1] /= rng.uniform(1, 1.8)
    return _rotate(points, rng.uniform(0, np.pi))


SHAPES = (blob, ellipse, rectangle)


def _rotate(points: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def random_contour(
    size: tuple[int, int], rng: np.random.Generator, area: tuple[float, float] = AREA
) -> np.ndarray | None:
    """A random shape that fits into (H, W), its bounding box at the origin.

    ``area``: its smallest and largest share of the image's. ``None``: too long for the image.
    """
    height, width = size
    points = SHAPES[rng.choice(len(SHAPES), p=(0.6, 0.2, 0.2))](rng)
    share = np.exp(rng.uniform(*np.log(area)))
    points *= np.sqrt(share * height * width / _area(points))
    points -= points.min(axis=0)
    extent = points.max(axis=0)
    return points if extent[0] < width - 2 and extent[1] < height - 2 else None


def _area(points: np.ndarray) -> float:
    x, y = points.T
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


def place(contour: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """A random (y, x) at which a contour with its bounding box at the origin fits into (H, W)."""
    room = np.array(size) - np.ceil(contour.max(axis=0))[::-1].astype(int) - 1
    return int(rng.integers(max(room[0], 0) + 1)), int(rng.integers(max(room[1], 0) + 1))


def matte_of(contour: np.ndarray, size: tuple[int, int], feather: int) -> np.ndarray:
    """The matte, (H, W), of a filled contour: exactly 0 beyond ``feather`` pixels outside of it.

    ``feather`` is the width of the soft border in pixels, half of it on either side; 0: hard.
    """
    return soften(filled(contour, size), feather)


def soften(mask: np.ndarray, feather: int) -> np.ndarray:
    """The matte of a mask, ``bool`` (H, W), with a soft border as in :func:`matte_of`."""
    matte = mask.astype(np.float32)
    if feather:
        kernel = (2 * feather + 1, 2 * feather + 1)
        cv2.GaussianBlur(matte, kernel, max(feather / 2, 0.6), dst=matte)
        # Less than half a grey level is no blending.
        matte[matte < 1 / 512], matte[matte > 1 - 1 / 512] = 0, 1
    return matte


def thickness_of(mask: np.ndarray) -> float:
    """4 areas over the perimeter of a mask, ``bool`` (H, W), in pixels.

    The diameter of a disc and the side of a square, but little for what is thin or branched.
    """
    contours = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]
    perimeter = sum(cv2.arcLength(contour, closed=True) for contour in contours)
    return 4 * float(mask.sum()) / max(perimeter, 4.0)


def draw_feather(rng: np.random.Generator, mask: np.ndarray) -> int:
    """The width of a border as people's tools make it, in pixels.

    It takes an eighth of the mask's thickness at most, so that what is changed outside of the mask
    is at most half as large as the mask.
    """
    low, high = FEATHERS[int(rng.choice(len(FEATHERS), p=FEATHER_SHARES))]
    return min(int(rng.integers(low, high + 1)), int(thickness_of(mask) / 8))


def softened(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The matte of a mask, ``bool`` (H, W), with a border of random width."""
    return soften(mask, draw_feather(rng, mask))


def filled(contour: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The inside of a contour as a mask, ``bool`` (H, W)."""
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.round(contour).astype(np.int32)], 1)
    return mask > 0


def blend(image: np.ndarray, content: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """``content`` over ``image``; ``uint8`` (H, W, 3), untouched exactly where the matte is 0."""
    alpha = matte[..., None]
    mixed = image.astype(np.float32) * (1 - alpha) + content.astype(np.float32) * alpha
    return np.round(mixed).clip(0, 255).astype(np.uint8)


def poisson(image: np.ndarray, content: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``content`` with its gradients kept and its colours fitted to ``image`` around a mask.

    Perez et al., "Poisson Image Editing", 2003, in OpenCV's form. All are ``uint8`` (H, W, 3),
    the mask ``bool`` (H, W); outside of it the result is ``image``. It is ``content`` as it is when
    the mask, two pixels from the border (where the equation has no boundary), has fewer than 16
    pixels or a side under 3, with which OpenCV fails.
    """
    inner = np.zeros(mask.shape, np.uint8)
    inner[2:-2, 2:-2] = mask[2:-2, 2:-2]
    x, y, w, h = cv2.boundingRect(inner)
    if min(w, h) < 3 or cv2.countNonZero(inner) < 16:
        return content
    y1, x1 = max(y - 4, 0), max(x - 4, 0)
    window = np.s_[y1 : y + h + 4, x1 : x + w + 4]
    source, target = (np.ascontiguousarray(array[window]) for array in (content, image))
    centre = (x - x1 + w // 2, y - y1 + h // 2)
    result = np.where(mask[..., None], content, image)
    cloned = cv2.seamlessClone(
        source, target, np.ascontiguousarray(inner[window]) * 255, centre, cv2.NORMAL_CLONE
    )
    result[window] = np.where(inner[window][..., None] > 0, cloned, result[window])
    return result


def boxes_of(mask: np.ndarray) -> list[list[int]]:
    """Boxes of the 8-connected regions of a mask, ``bool`` (H, W), from the top down.

    Each is [x1, y1, x2, y2] in pixels, right and bottom exclusive.
    """
    stats = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2][1:]
    boxes = [[int(x), int(y), int(x + w), int(y + h)] for x, y, w, h, _ in stats]
    return sorted(boxes, key=lambda box: (box[1], box[0], box[3], box[2]))
