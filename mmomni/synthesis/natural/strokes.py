"""Retouching as with a clone stamp or a healing brush: strokes and dabs along a path."""

import cv2
import numpy as np

from mmomni.synthesis.geometry import shifted, size_of
from mmomni.synthesis.scene import Edit, Scene
from mmomni.utils.regions import blend, poisson, soften

# Radius of the brush over the image's shorter side, and length of a stroke over it.
BRUSH = (0.012, 0.05)
LENGTH = (0.1, 0.6)
BENDS = (2, 6)
DABS = (1, 4)
# Starts to choose the one with the most to cover of, and sources the one that fits best of.
STARTS_COMPARED, SOURCES_COMPARED = 6, 8
# Distance of the source over the brush's diameter.
SOURCE = (1.5, 7.0)
LARGEST = 0.15
# Mean change in grey levels below which there was nothing to cover.
LEAST_COVERED = 3.0


def retouch(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Cover something with strokes or dabs of the image's own pixels, cloned or healed.

    Cloned pixels are blended in along the brush's soft rim, healed ones by Poisson's equation.
    """
    size = size_of(scene.image)
    radius = max(3.0, min(size) * float(np.exp(rng.uniform(*np.log(BRUSH)))))
    start = _something(scene.image, radius, rng)
    dabs = rng.random() < 0.3
    painted = np.zeros(size, np.uint8)
    if dabs:
        for centre in start + rng.normal(0, 4 * radius, (int(rng.integers(*DABS)), 2)):
            at = (round(float(centre[0])), round(float(centre[1])))
            cv2.circle(painted, at, round(radius * rng.uniform(0.7, 1.4)), 1, cv2.FILLED)
    else:
        points = np.round(_path(start, size, rng)).astype(np.int32)
        cv2.polylines(painted, [points], False, 1, round(2 * radius))
    mask = painted > 0
    if not 16 <= int(mask.sum()) <= LARGEST * mask.size:
        return None
    shift = _best_source(scene.image, mask, radius, rng)
    if shift is None:
        return None
    content = shifted(scene.image, (-shift[0], -shift[1]))
    if float(cv2.absdiff(content, scene.image)[mask].mean()) < LEAST_COVERED:
        return None
    healed = rng.random() < 0.4
    matte = soften(mask, max(1, round(radius * rng.uniform(0.05, 0.5))))
    if healed:
        content = poisson(scene.image, content, matte > 0)
    details = {
        'tool': 'heal' if healed else 'clone',
        'brush': 'dabs' if dabs else 'stroke',
        'radius': round(radius, 1),
        'shift': [shift[1], shift[0]],
    }
    return Edit(blend(scene.image, content, matte), matte, details)


def _something(image: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """(x, y) of the most eventful of a few random places, where there is something to cover."""
    height, width = size_of(image)
    reach = max(2, round(radius))
    places = rng.uniform([0.1, 0.1], [0.9, 0.9], (STARTS_COMPARED, 2)) * [width, height]

    def events(place: np.ndarray) -> float:
        x, y = place.astype(int)
        around = image[max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach]
        return float(around.std(axis=(0, 1)).sum())

    return np.asarray(max(places, key=events))


def _path(start: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A smooth bent line from ``start`` on; (N, 2), points (x, y)."""
    bends = int(rng.integers(BENDS[0], BENDS[1] + 1))
    step = min(size) * float(rng.uniform(*LENGTH)) / bends
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.6, bends))
    corners = start + np.cumsum(np.stack([np.cos(angles), np.sin(angles)], axis=1) * step, axis=0)
    corners = np.vstack([start, corners]).clip(2, np.array(size[::-1]) - 3)
    for _ in range(3):  # Chaikin's corner cutting
        a, b = corners[:-1], corners[1:]
        middle = np.stack([0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b], axis=1).reshape(-1, 2)
        corners = np.vstack([corners[:1], middle, corners[-1:]])
    return corners


def _best_source(
    image: np.ndarray, mask: np.ndarray, radius: float, rng: np.random.Generator
) -> tuple[int, int] | None:
    """(dx, dy) to the source whose pixels are most like those along the rim of the mask."""
    rim = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)) - mask
    y, x = np.nonzero(rim)
    step = max(1, len(y) // 200)
    y, x = y[::step], x[::step]
    found: list[tuple[float, tuple[int, int]]] = []
    for _ in range(SOURCES_COMPARED):
        angle, reach = rng.uniform(0, 2 * np.pi), 2 * radius * rng.uniform(*SOURCE)
        dx, dy = round(float(np.cos(angle) * reach)), round(float(np.sin(angle) * reach))
        inside = (y + dy >= 0) & (y + dy < mask.shape[0]) & (x + dx >= 0) & (x + dx < mask.shape[1])
        if not inside.all() or mask[y + dy, x + dx].any():
            continue
        unlike = np.abs(image[y + dy, x + dx].astype(int) - image[y, x]).mean()
        found.append((float(unlike), (dx, dy)))
    return min(found)[1] if found else None
