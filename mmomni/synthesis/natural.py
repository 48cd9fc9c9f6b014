"""Forging operations on photos that move, bring in or take away things."""

from typing import Any

import cv2
import numpy as np

from .colour import grain_of, jitter_colours, re_expose, reinhard, towards_mean, with_grain
from .inpainting import METHODS, inpaint, roughness_around
from .jpeg_history import on_same_grid, with_foreign_history
from .regions import FEATHER, blend, matte_of, place, poisson, soften
from .scene import Edit, Scene
from .segments import OBJECT, SEGMENT, SHAPE, THINGS, Outline, random_outline

# Two disjoint copies of a larger region rarely find room; inpainting larger ones looks smeared.
COPY_AREA = (0.015, 0.2)
SPLICE_AREA = (0.02, 0.25)
REMOVAL_AREA = (0.01, 0.1)
JITTER_AREA = (0.02, 0.25)
# Holes rougher than this, or larger than this share, are beyond smooth inpainting.
SMOOTH_ROUGHNESS, SMOOTH_AREA = 18.0, 0.03
ROUGHEST = 48.0
REMOVED = {OBJECT: 0.4, SEGMENT: 0.3, SHAPE: 0.3}
JITTERED = {OBJECT: 1.0}
PLACES_TRIED = 20
# Of so many possible places, the one whose surroundings fit best.
PLACES_COMPARED = 5
OUTLINES_COMPARED = 2


def copy_move(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Copy a region of the image to another, disjoint place of it.

    Half of the copies are exact, the others flipped, rotated or scaled. The shift is never a
    multiple of 8 in both axes: the copy would keep the grid of the first compression.
    """
    size = _size(scene.image)
    outline = random_outline(scene.image, rng, COPY_AREA, THINGS)
    if outline is None:
        return None
    exact = rng.random() < 0.5
    warp = np.eye(2) if exact else _random_warp(rng)
    moved, corner = _warped_contour(outline.contour, warp)
    if not _fits(moved, size):
        return None
    feather = _feather(rng)
    taken = matte_of(outline.contour + outline.at[::-1], size, 0) > 0.5
    places = []
    for _ in range(PLACES_TRIED):
        target = place(moved, size, rng)
        matte = matte_of(moved + target[::-1], size, feather)
        if not (_shifted_on_grid(outline.at, target) or (taken & (matte > 0)).any()):
            places.append((_misfit(scene.image, outline, scene.image, moved, target), target))
        if len(places) == PLACES_COMPARED:
            break
    if not places:
        return None
    target = min(places)[1]
    matte = matte_of(moved + target[::-1], size, feather)
    content = _warped(scene.image, warp, outline.at, target, corner)
    details = {
        'source_at': list(outline.at),
        'target_at': list(target),
        'exact': exact,
        'region': outline.kind,
    }
    return Edit(blend(scene.image, content, matte), matte, details)


def splice(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Paste a region of the donor, which brings another JPEG history or none.

    Its colours are left, moved towards the place's mean or fitted to it (Reinhard); it is
    feathered in or, one time in three, blended by Poisson's equation.
    """
    if scene.donor is None:
        return None
    size = _size(scene.image)
    donor = with_foreign_history(_at_least(scene.donor, size), rng)
    outline = random_outline(donor, rng, SPLICE_AREA, THINGS)
    if outline is None:
        return None
    warp = _splice_warp(outline.contour, size, rng)
    moved, corner = _warped_contour(outline.contour, warp)
    if not _fits(moved, size):
        return None
    targets = [place(moved, size, rng) for _ in range(PLACES_COMPARED)]
    target = min(targets, key=lambda at: _misfit(donor, outline, scene.image, moved, at))
    if _shifted_on_grid(outline.at, target):
        return None
    matte = matte_of(moved + target[::-1], size, _feather(rng))
    content = _warped(donor, warp, outline.at, target, corner, size)
    content, details = _fitted_in(content, scene.image, matte, rng)
    details['region'] = outline.kind
    return Edit(blend(scene.image, content, matte), matte, details, used_donor=True)


def _fitted_in(
    content: np.ndarray, image: np.ndarray, matte: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """The content with other colours or blended; and how."""
    mask = matte > 0.5
    if rng.random() < 1 / 3:
        # The soft border too, so that nothing of the donor's background shows there.
        return poisson(image, content, matte > 0), {'blending': 'poisson', 'colours': 'as they are'}
    kind = str(rng.choice(['as they are', 'mean', 'reinhard']))
    if kind == 'mean':
        content = towards_mean(content, image, mask, rng.uniform(0.2, 0.7))
    elif kind == 'reinhard':
        reach = int(0.1 * max(mask.shape)) | 1
        around = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
        content = reinhard(content, mask, image, around, rng.uniform(0.3, 0.8))
    return content, {'blending': 'feather', 'colours': kind}


def removal(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Inpaint a region, sometimes with the image's grain put back."""
    size = _size(scene.image)
    outlines = [
        random_outline(scene.image, rng, REMOVAL_AREA, REMOVED) for _ in range(OUTLINES_COMPARED)
    ]
    feather, mattes = _feather(rng), []
    for outline in outlines:
        if outline is not None:
            mask = matte_of(outline.contour + outline.at[::-1], size, 0) > 0.5
            # A rim of the thing left behind would give it away.
            mattes.append((outline.kind, soften(_grown(mask, int(rng.integers(2, 5))), feather)))
    if not mattes:
        return None
    rough = [roughness_around(scene.image, matte > 0) for _, matte in mattes]
    # Across strong edges inpainting smears so much that nobody would leave it like that.
    if min(rough) > ROUGHEST:
        return None
    kind, matte = mattes[int(np.argmin(rough))]
    method = _method(min(rough), float((matte > 0).mean()), rng)
    content = inpaint(scene.image, matte > 0, method, rng)
    if method != 'exemplar' and rng.random() < 0.6:
        content = with_grain(content, grain_of(scene.image), rng)
    details = {'method': method, 'region': kind}
    return Edit(blend(scene.image, content, matte), matte, details)


def _method(roughness: float, area: float, rng: np.random.Generator) -> str:
    """Any inpainter for small smooth holes, else mostly the one that keeps texture."""
    if (roughness > SMOOTH_ROUGHNESS or area > SMOOTH_AREA) and rng.random() < 0.8:
        return 'exemplar'
    return str(rng.choice(METHODS))


def object_jitter(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Put a thing back in its place, slightly moved, scaled or exposed anew; fill what it bares."""
    size = _size(scene.image)
    outline = random_outline(scene.image, rng, JITTER_AREA, JITTERED)
    if outline is None:
        return None
    warp = np.diag([1.0, 1.0]) * np.exp(rng.uniform(-0.12, 0.12))
    if rng.random() < 0.4:
        warp = np.eye(2)
    moved, corner = _warped_contour(outline.contour, warp)
    centred = (outline.contour.max(axis=0) - moved.max(axis=0)) / 2
    shift = rng.uniform(-0.12, 0.12, 2) * outline.contour.max(axis=0)
    target_x, target_y = np.round(np.array(outline.at[::-1]) + centred + shift).astype(int).tolist()
    target = (max(target_y, 1), max(target_x, 1))
    if _shifted_on_grid(outline.at, target) or not _fits(moved + target[::-1], size):
        return None
    old = _grown(matte_of(outline.contour + outline.at[::-1], size, 0) > 0.5, 3)
    filled = inpaint(scene.image, old, 'telea' if rng.random() < 0.5 else 'exemplar', rng)
    content = _warped(scene.image, warp, outline.at, target, corner)
    stops = float(rng.uniform(-0.6, 0.6)) if rng.random() < 0.7 else 0.0
    content = re_expose(content, stops)
    if rng.random() < 0.3:
        content = jitter_colours(content, rng)
    feather = _feather(rng)
    hole, matte = soften(old, feather), matte_of(moved + target[::-1], size, feather)
    image = blend(blend(scene.image, filled, hole), content, matte)
    details = {
        'shift': [target[0] - outline.at[0], target[1] - outline.at[1]],
        'scale': round(float(warp[0, 0]), 3),
        'stops': round(stops, 2),
        'region': outline.kind,
    }
    return Edit(image, np.maximum(hole, matte), details)


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0


def _size(image: np.ndarray) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _feather(rng: np.random.Generator) -> int:
    return int(rng.integers(FEATHER[0], FEATHER[1] + 1))


def _shifted_on_grid(source: tuple[int, int], target: tuple[int, int]) -> bool:
    return on_same_grid(target[0] - source[0], target[1] - source[1])


def _random_warp(rng: np.random.Generator) -> np.ndarray:
    """A 2x2 matrix: a flip (one in two), a rotation up to 15 degrees, a scale of 0.8 to 1.25."""
    angle, scale = np.radians(rng.uniform(-15, 15)), np.exp(rng.uniform(-0.22, 0.22))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    return np.array([[cos, -sin], [sin, cos]]) @ np.diag([rng.choice([-1, 1]), 1])


def _splice_warp(
    contour: np.ndarray, size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """As it is, one time in two and where its area allows; else warped and scaled into range."""
    share = cv2.contourArea(contour.astype(np.float32)) / (size[0] * size[1])
    low, high = (np.sqrt(limit / max(share, 1e-6)) for limit in SPLICE_AREA)
    if low <= 1 <= high and rng.random() < 0.5:
        return np.eye(2)
    scale = np.exp(rng.uniform(np.log(max(low, 0.4)), np.log(max(min(high, 1.3), 0.41))))
    warp = _random_warp(rng)
    return warp / np.sqrt(abs(np.linalg.det(warp))) * scale


def _warped_contour(contour: np.ndarray, warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A warped contour with its bounding box at the origin, and (x, y) of where the box was."""
    moved = contour @ warp.T
    corner = moved.min(axis=0)
    return moved - corner, corner


def _fits(contour: np.ndarray, size: tuple[int, int]) -> bool:
    return bool((np.ceil(contour.max(axis=0)) < np.array(size)[::-1] - 1).all())


def _misfit(
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
