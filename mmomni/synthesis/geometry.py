"""Moving a region: warps of contours and images, where a region fits, how well it fits there.

A *warp* is (2, 2), applied to points (x, y) around the region's own top left corner.
"""

import cv2
import numpy as np

from mmomni.utils.regions import Outline

from .jpeg_history import on_same_grid

# How often a region that is moved exactly stays on its own 8x8 grid.
KEPT_GRID = 0.12
# Scale below which a cubic kernel skips pixels.
ALIASED = 0.8


def size_of(image: np.ndarray) -> tuple[int, int]:
    """(H, W)."""
    return image.shape[0], image.shape[1]


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask, ``bool`` (H, W), grown by so many pixels, or shrunk where negative."""
    side = 2 * abs(pixels) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    change = cv2.dilate if pixels > 0 else cv2.erode
    return change(mask.astype(np.uint8), kernel) > 0


def random_warp(rng: np.random.Generator) -> np.ndarray:
    """A flip (one in two), a rotation up to 15 degrees, a scale of 0.8 to 1.25."""
    angle, scale = np.radians(rng.uniform(-15, 15)), np.exp(rng.uniform(-0.22, 0.22))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    return np.array([[cos, -sin], [sin, cos]]) @ np.diag([rng.choice([-1, 1]), 1])


def warped_contour(contour: np.ndarray, warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A warped contour with its bounding box at the origin, and (x, y) of where the box was."""
    moved = contour @ warp.T
    corner = moved.min(axis=0)
    return moved - corner, corner


def fits(contour: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a contour lies inside of (H, W), its right and bottom borders excluded."""
    return bool((np.ceil(contour.max(axis=0)) < np.array(size)[::-1] - 1).all())


def on_or_off_grid(
    source: tuple[int, int], target: tuple[int, int], kept: bool, size: tuple[int, int]
) -> tuple[int, int] | None:
    """Where a region lies, (y, x), that is taken from ``source`` to about ``target``, (y, x).

    With its 8x8 grid ``kept``: the place beside ``target`` on it, within ``size``, (H, W); else
    ``target``, unless that is on the grid. ``None``: there is no such place.
    """
    same = on_same_grid(target[0] - source[0], target[1] - source[1])
    if not kept:
        return None if same else target
    y, x = (t - (t - s) % 8 for s, t in zip(source, target, strict=True))
    y, x = (v + 8 if v < 0 else v for v in (y, x))
    return (y, x) if y < size[0] and x < size[1] else None


def misfit(
    source: np.ndarray,
    outline: Outline,
    image: np.ndarray,
    moved: np.ndarray,
    target: tuple[int, int],
) -> float:
    """Mean difference in grey levels, along the outline, of what it leaves and what it meets."""
    step = max(1, len(moved) // 64)

    def colours(pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
        x, y = np.round(points[::step]).astype(int).T
        return pixels[y.clip(0, pixels.shape[0] - 1), x.clip(0, pixels.shape[1] - 1)].astype(int)

    left = colours(source, outline.contour + outline.at[::-1])
    return float(np.abs(left - colours(image, moved + target[::-1])).mean())


def warped(
    image: np.ndarray,
    warp: np.ndarray,
    source: tuple[int, int],
    target: tuple[int, int],
    corner: np.ndarray,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """The whole image moved so that the region at ``source`` lies at ``target``.

    Args:
        image: ``uint8`` (H', W', 3).
        warp: (2, 2), applied to the region around its own top left corner.
        source: (y, x) of the region's bounding box.
        target: (y, x) where the warped region's bounding box shall lie.
        corner: (x, y) of the warped region's bounding box when its origin stays in place.
        size: (H, W) of the result; default: the image's.
    """
    size = size or size_of(image)
    shift = np.array(target[::-1]) - corner - warp @ np.array(source[::-1])
    if np.array_equal(warp, np.eye(2)):
        return shifted(image, (round(float(shift[0])), round(float(shift[1]))), size)
    return warp_affine(image, np.column_stack([warp, shift]), size)


def shifted(
    image: np.ndarray, shift: tuple[int, int], size: tuple[int, int] | None = None
) -> np.ndarray:
    """The image moved by whole pixels (dx, dy), its pixels as they are; what is bared mirrored."""
    height, width = size or size_of(image)
    warp = np.array([[1.0, 0, shift[0]], [0, 1, shift[1]]])
    return cv2.warpAffine(
        image, warp, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101
    )


def warp_affine(
    image: np.ndarray, warp: np.ndarray, size: tuple[int, int], border: int = cv2.BORDER_REFLECT_101
) -> np.ndarray:
    """Resample as image editors do: what is made smaller is averaged, not skipped.

    ``cv2.warpAffine`` knows no averaging (its ``INTER_AREA`` is ``INTER_LINEAR``), hence the image,
    ``uint8`` (H', W', 3) or ``float32`` (H', W'), is shrunk first and warped at its size then.
    ``warp``, (2, 3), leads from points (x, y) of the image to those of the result, which is (H, W)
    = ``size``; ``border`` is OpenCV's name of what lies outside of the image.
    """
    scale = np.linalg.norm(warp[:, :2], axis=0)
    if scale.min() < ALIASED:
        old = np.array(image.shape[1::-1])
        new = np.maximum(np.round(old * np.minimum(scale, 1)), 1).astype(int)
        image = cv2.resize(image, new.tolist(), interpolation=cv2.INTER_AREA)
        # From the centres of the small pixels to those of the large ones.
        larger = old / new
        shift = warp[:, 2] + warp[:, :2] @ (larger / 2 - 0.5)
        warp = np.column_stack([warp[:, :2] * larger, shift])
    return cv2.warpAffine(image, warp, (size[1], size[0]), flags=cv2.INTER_CUBIC, borderMode=border)


def at_least(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``image`` enlarged, where needed, until a region of an image of ``size`` fits into it."""
    scale = max(size[0] / image.shape[0], size[1] / image.shape[1])
    if scale <= 1:
        return image
    height, width = (int(np.ceil(side * scale)) for side in size_of(image))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
