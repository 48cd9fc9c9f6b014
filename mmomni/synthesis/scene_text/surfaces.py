"""New writing on plain surfaces of a photograph: walls, vehicles, boards."""

import cv2
import numpy as np

from mmomni.synthesis.geometry import size_of, warp_affine
from mmomni.synthesis.natural.captions import draw_line
from mmomni.synthesis.scene import Edit, Scene
from mmomni.utils.regions import blend

# Deviation of a surface in grey levels, also of its parts: what is smoother is sky or overexposed.
TEXTURE = (1.2, 11.0)
PARTS = 8
# What is written lies below this share of the height, under skies and ceilings.
TOP = 0.15
# How much of a light surface's light its paint throws back, and the colour of light paint.
PAINTS = ((0.12, 0.12, 0.13), (0.2, 0.22, 0.45), (0.5, 0.12, 0.12), (0.15, 0.3, 0.2))
LIGHT = (235.0, 233.0, 223.0)
# Brightest surface that is written on in light paint, in grey levels.
LIGHT_ON = 110.0
# How far the light on a surface is followed, 1: wholly.
SHADING = 0.7
# Slope of a line in degrees, softness of its edges in pixels, and how much the paint covers.
SLOPE, SOFTNESS, COVER = 5.0, (0.4, 0.9), (0.8, 0.97)


def paint_on_a_surface(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Paint a line on a plain part of the photo, whose texture shows through; the mask: its box."""
    height, width = size_of(scene.image)
    line = draw_line(height, width, rng)
    if line is None:
        return None
    coverage, text = _turned(line[0], rng), line[1]
    place = _plain_place(scene.image, size_of(coverage), rng)
    if place is None:
        return None
    h, w = coverage.shape
    window = np.s_[place[0] : place[0] + h, place[1] : place[1] + w]
    ground = scene.image[window]
    painted = _painted(ground, rng)
    soft = cv2.GaussianBlur(coverage, (0, 0), float(rng.uniform(*SOFTNESS)))
    image = scene.image.copy()
    image[window] = blend(ground, painted, soft * float(rng.uniform(*COVER)))
    mask = np.zeros((height, width), bool)
    mask[window] = True
    return Edit(image, mask, {'text': text})


def _painted(ground: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A surface, ``uint8`` (h, w, 3), in paint: its light and texture are seen on it, too."""
    level = float(ground.mean())
    paint = level * np.array(PAINTS[int(rng.integers(len(PAINTS)))])
    if level < LIGHT_ON:
        paint = np.array(LIGHT)
    mean = cv2.blur(ground.astype(np.float32), (15, 15))
    texture = ground / np.maximum(mean, 8)
    light = (mean.mean(axis=2, keepdims=True) / level) ** SHADING
    return np.round(paint * texture * light).clip(0, 255).astype(np.uint8)


def _turned(coverage: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A line, ``float32`` (h, w), on a slight slope."""
    h, w = coverage.shape
    slope = np.tan(np.radians(rng.uniform(-SLOPE, SLOPE)))
    rise = round(abs(slope) * w)
    warp = np.array([[1.0, 0, 0], [slope, 1, rise if slope < 0 else 0]])
    return warp_affine(coverage, warp, (h + rise, w), cv2.BORDER_CONSTANT).clip(0, 1)


def _plain_place(
    image: np.ndarray, size: tuple[int, int], rng: np.random.Generator
) -> tuple[int, int] | None:
    """(y, x) of a random window of (h, w) over a plain surface; ``None``: there is none."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    (height, width), (h, w) = grey.shape, size
    if h >= height or w >= width:
        return None

    def deviation(kernel: tuple[int, int]) -> np.ndarray:
        """Of the windows of (w, h) pixels at each top left corner."""
        mean, square = (cv2.boxFilter(of, -1, kernel, anchor=(0, 0)) for of in (grey, grey * grey))
        return np.sqrt(np.maximum(square - mean * mean, 0))

    whole = deviation((w, h))
    # No part may be an edge, nor all of them be empty.
    part = deviation((max(w // PARTS, 6), max(h // 2, 6)))
    worst = cv2.dilate(part, np.ones((h, w), np.uint8), anchor=(0, 0))
    fit = (whole <= 1.5 * TEXTURE[1]) & (worst <= TEXTURE[1]) & (whole >= TEXTURE[0])
    fit = fit[: height - h, : width - w]
    fit[: round(TOP * height)] = False
    places = np.flatnonzero(fit)
    if not places.size:
        return None
    y, x = divmod(int(places[int(rng.integers(len(places)))]), fit.shape[1])
    return y, x
