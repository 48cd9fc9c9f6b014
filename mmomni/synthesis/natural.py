"""Forging operations on photos: copy-move, splicing, removal."""

import cv2
import numpy as np

from .jpeg_history import on_same_grid, with_foreign_history
from .regions import FEATHER, blend, matte_of, place, random_contour
from .scene import Edit, Scene

# Two disjoint copies of a larger region rarely find room; inpainting larger ones looks smeared.
COPY_AREA = (0.03, 0.2)
REMOVAL_AREA = (0.03, 0.1)
PLACES_TRIED = 20
REMOVAL_PLACES = 6


def copy_move(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Copy a region of the image to another, disjoint place of it.

    Half of the copies are exact, the others flipped, rotated or scaled. The shift is never a
    multiple of 8 in both axes: the copy would keep the grid of the first compression.
    """
    size = _size(scene.image)
    contour = random_contour(size, rng, COPY_AREA)
    if contour is None:
        return None
    source = place(contour, size, rng)
    exact = rng.random() < 0.5
    warp = np.eye(2) if exact else _random_warp(rng)
    moved = contour @ warp.T
    corner = moved.min(axis=0)
    moved -= corner
    if (np.ceil(moved.max(axis=0)) >= np.array(size)[::-1] - 1).any():
        return None
    feather = _feather(rng)
    taken = matte_of(contour + source[::-1], size, 0) > 0.5
    for _ in range(PLACES_TRIED):
        target = place(moved, size, rng)
        matte = matte_of(moved + target[::-1], size, feather)
        if _shifted_on_grid(source, target) or (taken & (matte > 0)).any():
            continue
        content = _warped(scene.image, warp, source, target, corner)
        details = {'source_at': list(source), 'target_at': list(target), 'exact': exact}
        return Edit(blend(scene.image, content, matte), matte > 0.5, details)
    return None


def splice(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Paste a region of the donor, which brings another JPEG history or none."""
    if scene.donor is None:
        return None
    size = _size(scene.image)
    donor = with_foreign_history(_at_least(scene.donor, size), rng)
    contour = random_contour(size, rng)
    if contour is None:
        return None
    source, target = place(contour, _size(donor), rng), place(contour, size, rng)
    if _shifted_on_grid(source, target):
        return None
    matte = matte_of(contour + target[::-1], size, _feather(rng))
    corner = np.zeros(2)
    content = _warped(donor, np.eye(2), source, target, corner, size)
    content = _colour_matched(content, scene.image, matte, rng.uniform(0, 0.7))
    return Edit(blend(scene.image, content, matte), matte > 0.5, used_donor=True)


def removal(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Inpaint a region (Telea or Navier-Stokes), sometimes with the image's grain put back."""
    size = _size(scene.image)
    contour = random_contour(size, rng, REMOVAL_AREA)
    if contour is None:
        return None
    feather = _feather(rng)
    places = [place(contour, size, rng) for _ in range(REMOVAL_PLACES)]
    mattes = [matte_of(contour + at[::-1], size, feather) for at in places]
    # Across strong edges inpainting smears so much that nobody would leave it like that.
    matte = min(mattes, key=lambda matte: _roughness_around(scene.image, matte > 0))
    method = int(rng.choice([cv2.INPAINT_TELEA, cv2.INPAINT_NS]))
    content = _inpainted(scene.image, matte > 0, method)
    if rng.random() < 0.5:
        grain = rng.normal(0, _grain(scene.image), size)[..., None]
        content = np.round(content + grain).clip(0, 255).astype(np.uint8)
    details = {'method': 'telea' if method == cv2.INPAINT_TELEA else 'navier-stokes'}
    return Edit(blend(scene.image, content, matte), matte > 0.5, details)


def _size(image: np.ndarray) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _feather(rng: np.random.Generator) -> int:
    return int(rng.integers(FEATHER[0], FEATHER[1] + 1))


def _shifted_on_grid(source: tuple[int, int], target: tuple[int, int]) -> bool:
    return on_same_grid(target[0] - source[0], target[1] - source[1])


def _random_warp(rng: np.random.Generator) -> np.ndarray:
    """A 2x2 matrix: a flip (one in two), a rotation up to 30 degrees, a scale of 0.8 to 1.25."""
    angle, scale = np.radians(rng.uniform(-30, 30)), np.exp(rng.uniform(-0.22, 0.22))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    return np.array([[cos, -sin], [sin, cos]]) @ np.diag([rng.choice([-1, 1]), 1])


def _warped(
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
    height, width = size or _size(image)
    shift = np.array(target[::-1]) - corner - warp @ np.array(source[::-1])
    exact = np.array_equal(warp, np.eye(2))
    return cv2.warpAffine(
        image,
        np.column_stack([warp, shift]),
        (width, height),
        flags=cv2.INTER_NEAREST if exact else cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def _at_least(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``image`` enlarged, where needed, until a region of an image of ``size`` fits into it."""
    scale = max(size[0] / image.shape[0], size[1] / image.shape[1])
    if scale <= 1:
        return image
    height, width = (int(np.ceil(side * scale)) for side in _size(image))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)


def _colour_matched(
    content: np.ndarray, image: np.ndarray, matte: np.ndarray, strength: float
) -> np.ndarray:
    """Move the region's mean colour a part of the way to that of what it covers."""
    inside = matte > 0.5
    if not inside.any():
        return content
    offset = image[inside].mean(axis=0) - content[inside].mean(axis=0)
    return np.round(content + strength * offset).clip(0, 255).astype(np.uint8)


def _inpainted(image: np.ndarray, hole: np.ndarray, method: int, margin: int = 12) -> np.ndarray:
    """Inpaint inside a window around the hole, which is what costs the time."""
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    window = np.s_[
        max(rows[0] - margin, 0) : rows[-1] + margin + 1,
        max(columns[0] - margin, 0) : columns[-1] + margin + 1,
    ]
    result = image.copy()
    patch = np.ascontiguousarray(image[window])
    result[window] = cv2.inpaint(patch, hole[window].astype(np.uint8), 3, method)
    return result


def _roughness_around(image: np.ndarray, hole: np.ndarray) -> float:
    """Deviation of the grey levels, in a ring of 3 pixels around a hole."""
    grown = cv2.dilate(hole.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    return float(image[grown & ~hole].std())


def _grain(image: np.ndarray) -> float:
    """Robust noise level of an image in grey levels, from its high-pass residual."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    residual = grey - cv2.GaussianBlur(grey, (0, 0), 1)
    return float(min(1.4826 * np.median(np.abs(residual)) + 0.3, 6))
