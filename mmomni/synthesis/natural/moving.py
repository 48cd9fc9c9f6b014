"""Forging operations on photos that move or take away things."""

import numpy as np

from mmomni.synthesis.colour import grain_of, jitter_colours, re_expose, with_grain
from mmomni.synthesis.geometry import (
    KEPT_GRID,
    fits,
    grown,
    misfit,
    on_or_off_grid,
    random_warp,
    size_of,
    warped,
    warped_contour,
)
from mmomni.synthesis.scene import Edit, Scene
from mmomni.utils.regions import blend, draw_feather, filled, matte_of, place, soften, softened

from .inpainting import METHODS, inpaint, roughness_around
from .segments import OBJECT, SEGMENT, SHAPE, THINGS, random_outline

# Two disjoint copies of a larger region rarely find room; inpainting larger ones looks smeared.
COPY_AREA = (0.015, 0.2)
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

    Half of the copies are exact, the others flipped, rotated or scaled. One exact copy in eight
    is shifted by multiples of 8, so that it keeps the grid of the first compression.
    """
    size = size_of(scene.image)
    outline = random_outline(scene.image, rng, COPY_AREA, THINGS)
    if outline is None:
        return None
    exact = rng.random() < 0.5
    warp = np.eye(2) if exact else random_warp(rng)
    moved, corner = warped_contour(outline.contour, warp)
    if not fits(moved, size):
        return None
    feather = draw_feather(rng, filled(moved, size))
    kept = exact and scene.keeps_grid(rng, KEPT_GRID)
    taken = filled(outline.contour + outline.at[::-1], size)
    places = []
    for _ in range(PLACES_TRIED):
        target = on_or_off_grid(outline.at, place(moved, size, rng), kept, size)
        if target is None or not fits(moved + target[::-1], size):
            continue
        matte = matte_of(moved + target[::-1], size, feather)
        if not (taken & (matte > 0)).any():
            places.append((misfit(scene.image, outline, scene.image, moved, target), target))
        if len(places) == PLACES_COMPARED:
            break
    if not places:
        return None
    target = min(places)[1]
    matte = matte_of(moved + target[::-1], size, feather)
    content = warped(scene.image, warp, outline.at, target, corner)
    details = {
        'source_at': list(outline.at),
        'target_at': list(target),
        'exact': exact,
        'grid': 'kept' if kept else 'moved',
        'region': outline.kind,
    }
    return Edit(blend(scene.image, content, matte), matte, details)


def removal(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Inpaint a region, sometimes with the image's grain put back."""
    size = size_of(scene.image)
    outlines = [
        random_outline(scene.image, rng, REMOVAL_AREA, REMOVED) for _ in range(OUTLINES_COMPARED)
    ]
    mattes = []
    for outline in outlines:
        if outline is not None:
            mask = filled(outline.contour + outline.at[::-1], size)
            # A rim of the thing left behind would give it away.
            mattes.append((outline.kind, softened(grown(mask, int(rng.integers(2, 5))), rng)))
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
    size = size_of(scene.image)
    outline = random_outline(scene.image, rng, JITTER_AREA, JITTERED)
    if outline is None:
        return None
    scale = np.exp(rng.uniform(-0.12, 0.12))
    warp = np.eye(2) * (1 if rng.random() < 0.4 else scale)
    moved, corner = warped_contour(outline.contour, warp)
    centred = (outline.contour.max(axis=0) - moved.max(axis=0)) / 2
    shift = rng.uniform(-0.12, 0.12, 2) * outline.contour.max(axis=0)
    target_x, target_y = np.round(np.array(outline.at[::-1]) + centred + shift).astype(int).tolist()
    target = (max(target_y, 1), max(target_x, 1))
    same_grid = on_or_off_grid(outline.at, target, False, size) is None
    if same_grid or not fits(moved + target[::-1], size):
        return None
    old = grown(filled(outline.contour + outline.at[::-1], size), 3)
    bared = inpaint(scene.image, old, 'telea' if rng.random() < 0.5 else 'exemplar', rng)
    content = warped(scene.image, warp, outline.at, target, corner)
    stops = float(rng.uniform(-0.6, 0.6)) if rng.random() < 0.7 else 0.0
    content = re_expose(content, stops)
    if rng.random() < 0.3:
        content = jitter_colours(content, rng)
    feather = draw_feather(rng, filled(moved, size))
    hole, matte = soften(old, feather), matte_of(moved + target[::-1], size, feather)
    image = blend(blend(scene.image, bared, hole), content, matte)
    details = {
        'shift': [target[0] - outline.at[0], target[1] - outline.at[1]],
        'scale': round(float(warp[0, 0]), 3),
        'stops': round(stops, 2),
        'region': outline.kind,
    }
    return Edit(image, np.maximum(hole, matte), details)
