"""Retouching a portrait: smoother skin, features pushed about."""

from dataclasses import replace

import cv2
import numpy as np

from mmomni.synthesis.geometry import size_of
from mmomni.synthesis.scene import Edit, Scene
from mmomni.utils.regions import blend, soften

from .boxes import centre_box

# Parts of a face that are pushed about: centre, radius (shares of the detector's box).
PARTS = {
    'eyes': ((0.32, 0.4, 0.17), (0.68, 0.4, 0.17)),
    'mouth': ((0.5, 0.78, 0.22),),
    'nose': ((0.5, 0.6, 0.2),),
    'chin': ((0.3, 0.9, 0.28), (0.7, 0.9, 0.28)),
}
PUSH = (0.12, 0.3)
# Displacements below this, in pixels, change nothing that can be told.
LEAST_PUSH = 0.25


def face_retouch(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Smooth the skin, or enlarge, shrink or push a feature, as beauty filters do."""
    box = scene.face or centre_box(scene.image)
    if rng.random() < 0.4:
        edit = _smoothed(scene.image, box, rng)
    else:
        edit = _pushed(scene.image, box, str(rng.choice(list(PARTS))), rng)
    found = 'found' if scene.face else 'centre'
    return replace(edit, details={**edit.details, 'face_box': found})


def _smoothed(image: np.ndarray, box: tuple[int, ...], rng: np.random.Generator) -> Edit:
    """The skin denoised; eyes and mouth left as they are."""
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    mask = np.zeros(size_of(image), np.uint8)
    centre = ((x1 + x2) // 2, round(y1 + 0.53 * height))
    cv2.ellipse(mask, centre, (round(0.4 * width), round(0.52 * height)), 0, 0, 360, 1, cv2.FILLED)
    for name in ('eyes', 'mouth'):
        for x, y, radius in PARTS[name]:
            at = (round(x1 + x * width), round(y1 + y * height))
            axes = (round(radius * width), round(0.55 * radius * height))
            cv2.ellipse(mask, at, axes, 0, 0, 360, 0, cv2.FILLED)
    matte = soften(mask > 0, max(2, round(width * rng.uniform(0.02, 0.06))))
    strength = float(rng.uniform(25, 60))
    smooth = cv2.bilateralFilter(image, 7, strength, 4)
    details = {'variant': 'smooth', 'strength': round(strength)}
    return Edit(blend(image, smooth, matte), matte, details)


def _pushed(image: np.ndarray, box: tuple[int, ...], name: str, rng: np.random.Generator) -> Edit:
    """A part magnified, shrunk or moved smoothly within a disc, which ends where it began."""
    x1, y1, x2, y2 = box
    side = np.array([x2 - x1, y2 - y1], np.float32)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    zoom = float(rng.uniform(*PUSH)) * (1 if rng.random() < 0.6 else -0.7)
    drift = rng.uniform(-0.06, 0.06, 2).astype(np.float32) * side
    moves = bool(rng.random() < 0.4) or name == 'chin'
    dx, dy = np.zeros_like(x), np.zeros_like(y)
    for place_x, place_y, radius in PARTS[name]:
        u, v = x - (x1 + place_x * side[0]), y - (y1 + place_y * side[1])
        fall = (1 - (u**2 + v**2) / (radius * side[0]) ** 2).clip(0) ** 2
        if moves:
            # A chin's two sides are both pushed inwards.
            dx += fall * (np.sign(0.5 - place_x) * abs(drift[0]) if name == 'chin' else drift[0])
            dy += fall * drift[1]
        else:
            dx, dy = dx + fall * zoom * u, dy + fall * zoom * v
    changed = np.hypot(dx, dy)
    matte = (changed >= LEAST_PUSH).astype(np.float32)
    warped = cv2.remap(image, x - dx, y - dy, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    details = {'variant': 'push', 'feature': name}
    return Edit(blend(image, warped, matte), matte, details)
