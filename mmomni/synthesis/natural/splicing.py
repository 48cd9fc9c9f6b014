"""Forging operations on photos that bring in what is not of them: regions, things, skies."""

from typing import Any

import cv2
import numpy as np

from mmomni.synthesis.colour import reinhard
from mmomni.synthesis.geometry import (
    KEPT_GRID,
    at_least,
    fits,
    grown,
    misfit,
    on_or_off_grid,
    random_warp,
    size_of,
    warp_affine,
    warped,
    warped_contour,
)
from mmomni.synthesis.jpeg_history import on_same_grid, with_foreign_history
from mmomni.synthesis.scene import Edit, Scene, Thing
from mmomni.utils.regions import blend, filled, place, poisson, softened

from .inpainting import window_around
from .light import SEEN_SHADOW, darkened, in_its_light, relit, shadow_of
from .segments import THINGS, grow_segment, random_outline

# Of what is cut out, over the donor's area, and of what is pasted, over the image's.
CUT_AREA, SPLICE_AREA = (0.05, 0.6), (0.02, 0.3)
BACKDROP_AREA = (0.12, 0.55)
# By how much a backdrop is larger than the image, so that it can lie on another grid.
ROOM = 8
# Of so many possible places, the one whose surroundings fit best.
PLACES_COMPARED = 5
# Deviation in grey levels below which a region shows nothing.
PLAIN = 10.0
# Heights of pasted things over the image's: whole ones, and ones that the lower border cuts off.
WHOLE_HEIGHT, CUT_HEIGHT = (0.3, 0.9), (0.7, 1.6)
# How deep the lower border cuts them, from the top.
CUT_AT = (0.35, 0.75)
SHADOWED = 0.4
# Errors of a hand that cuts something out, in pixels: too narrow, too wide.
CUT_ERROR = (-2, 2)


def splice(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Paste a region of the donor, which brings another JPEG history, the same one or none.

    Its colours are left, moved towards the place's mean or fitted to it (Reinhard); it is
    feathered in or, one time in three, blended by Poisson's equation. One exact region in eight
    keeps its 8x8 grid.
    """
    if scene.donor is None:
        return None
    size = size_of(scene.image)
    donor = with_foreign_history(at_least(scene.donor, size), rng, scene.first)
    outline = random_outline(donor, rng, CUT_AREA, THINGS)
    if outline is None:
        return None
    warp = _splice_warp(outline.contour, size, rng)
    moved, corner = warped_contour(outline.contour, warp)
    if not fits(moved, size):
        return None
    kept = np.array_equal(warp, np.eye(2)) and scene.keeps_grid(rng, KEPT_GRID)
    targets = [place(moved, size, rng) for _ in range(PLACES_COMPARED)]
    best = min(targets, key=lambda at: misfit(donor, outline, scene.image, moved, at))
    target = on_or_off_grid(outline.at, best, kept, size)
    if target is None or not fits(moved + target[::-1], size):
        return None
    matte = softened(filled(moved + target[::-1], size), rng)
    content = warped(donor, warp, outline.at, target, corner, size)
    if float(content[matte > 0.5].std(axis=0).mean()) < PLAIN:
        return None
    content, details = _fitted_in(content, scene.image, matte, rng)
    details.update(region=outline.kind, grid='kept' if kept else 'moved')
    return Edit(blend(scene.image, content, matte), matte, details, used_donor=True)


def _fitted_in(
    content: np.ndarray, image: np.ndarray, matte: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """The content with other colours or blended; and how."""
    if rng.random() < 1 / 3:
        # The soft border too, so that nothing of the donor's background shows there.
        return poisson(image, content, matte > 0), {'blending': 'poisson', 'colours': 'as they are'}
    content, kind = in_its_light(content, image, matte > 0.5, rng)
    return content, {'blending': 'feather', 'colours': kind}


def _splice_warp(
    contour: np.ndarray, size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """No warp one time in two, where the area allows; else one that scales it into range."""
    share = cv2.contourArea(contour.astype(np.float32)) / (size[0] * size[1])
    low, high = (np.sqrt(limit / max(share, 1e-6)) for limit in SPLICE_AREA)
    if low <= 1 <= high and rng.random() < 0.5:
        return np.eye(2)
    scale = np.exp(rng.uniform(np.log(max(low, 0.4)), np.log(max(min(high, 1.3), 0.41))))
    warp = random_warp(rng)
    return warp / np.sqrt(abs(np.linalg.det(warp))) * scale


def paste_thing(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Put a whole thing that was cut out of another photo into this one.

    It stands in the picture, or its lower border cuts it off; its colours and its light are
    fitted, two in five of the standing ones throw a shadow, which is forged, too.
    """
    if scene.thing is None:
        return None
    size = size_of(scene.image)
    thing = _cut_out(scene.thing() if callable(scene.thing) else scene.thing, rng)
    cut = rng.random() < 0.4
    warp, feet = _placed(thing.mask.shape, size, cut, rng)
    content = with_foreign_history(thing.image, rng, scene.first)
    content = warp_affine(content, warp, size, cv2.BORDER_REPLICATE)
    alpha = warp_affine(thing.mask.astype(np.float32), warp, size, cv2.BORDER_CONSTANT)
    matte = softened(alpha > 0.5, rng)
    if not 0.01 < float((matte > 0.5).mean()) < 0.6:
        return None
    content, colours = in_its_light(content, scene.image, matte > 0.5, rng, most=0.5)
    content, details = relit(content, scene.image, matte > 0.5, rng)
    details.update(colours=colours, cut_off=cut, shadow=not cut and rng.random() < SHADOWED)
    ground, share = scene.image, matte
    if details['shadow']:
        shadow = shadow_of(matte, feet, rng)
        ground = darkened(ground, shadow)
        share = np.maximum(matte, np.where(shadow > SEEN_SHADOW, 1, shadow))
    return Edit(blend(ground, content, matte), share, details, used_thing=True)


def _cut_out(thing: Thing, rng: np.random.Generator) -> Thing:
    """A thing within its bounding box, as roughly cut out as a hand does it."""
    window = window_around(thing.mask, 4)
    error = int(rng.integers(CUT_ERROR[0], CUT_ERROR[1] + 1))
    mask = grown(thing.mask[window], error) if error else thing.mask[window]
    image = thing.image[window]
    if rng.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    return Thing(np.ascontiguousarray(image), np.ascontiguousarray(mask))


def _placed(
    thing: tuple[int, ...], size: tuple[int, int], cut: bool, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """A (2, 3) warp of a thing of (h, w) into an image of (H, W), and the row of its feet."""
    height, width = size
    low, high = CUT_HEIGHT if cut else WHOLE_HEIGHT
    scale = height * float(np.exp(rng.uniform(np.log(low), np.log(high)))) / thing[0]
    # Wide things leave room for something authentic.
    scale = min(scale, 0.7 * width / thing[1])
    angle = np.radians(rng.uniform(-5, 5)) if rng.random() < 0.25 else 0.0
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    feet, bottom = height * float(rng.uniform(0.75, 0.99)), float(thing[0])
    if cut:
        feet, bottom = float(height), bottom * float(rng.uniform(*CUT_AT))
    half = 0.35 if rng.random() < 0.2 else 0.5  # some are cut off by a border at the side
    room = half * scale * thing[1]
    x = float(rng.uniform(min(room, width / 2), max(width - room, width / 2)))
    centre = np.array([thing[1] / 2, bottom])
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([turn, np.array([x, feet]) - turn @ centre]), feet


def backdrop(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Put what is at the donor's upper or lower border in the place of the image's sky or ground.

    It comes from another place, so that its 8x8 grid is never the image's.
    """
    if scene.donor is None:
        return None
    size = size_of(scene.image)
    border = str(rng.choice(['top', 'bottom']))
    mask = grow_segment(scene.image, rng, BACKDROP_AREA, border)
    if mask is None or not BACKDROP_AREA[0] / 2 < mask.mean() < 1.2 * BACKDROP_AREA[1]:
        return None
    donor = at_least(scene.donor, (size[0] + ROOM, size[1] + ROOM))
    if rng.random() < 0.5:
        donor = np.ascontiguousarray(donor[:, ::-1])
    donor = with_foreign_history(donor, rng, scene.first)
    y = 0 if border == 'top' else donor.shape[0] - size[0]
    x = int(rng.integers(donor.shape[1] - size[1] + 1))
    if on_same_grid(y, x):
        return None
    content = np.ascontiguousarray(donor[y : y + size[0], x : x + size[1]])
    fitted = rng.random() < 0.6
    if fitted:
        content = reinhard(content, mask, scene.image, mask, float(rng.uniform(0.2, 0.8)))
    matte = softened(mask, rng)
    details = {'border': border, 'colours': 'reinhard' if fitted else 'as they are'}
    return Edit(blend(scene.image, content, matte), matte, details, used_donor=True)
