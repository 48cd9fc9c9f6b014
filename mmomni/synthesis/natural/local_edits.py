"""Forging operations on photos that leave a thing where it is and change how it looks."""

import cv2
import numpy as np

from mmomni.synthesis.colour import grain_of, resampled, sharpened, with_grain
from mmomni.synthesis.scene import Edit, Scene

from .in_place import put_back, random_region
from .inpainting import window_around
from .segments import OBJECT, SEGMENT, SHAPE

AREA = (0.02, 0.45)
COLOURED = {OBJECT: 0.8, SEGMENT: 0.2}
FILTERED = {OBJECT: 0.5, SEGMENT: 0.25, SHAPE: 0.25}
FILTERS = {
    'blur': 0.3,
    'motion': 0.12,
    'sharpen': 0.2,
    'median': 0.12,
    'mosaic': 0.08,
    'noise': 0.08,
    'soft': 0.1,
}
# Pixels around the region that a filter may look at.
ROOM = 16


def recolour(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Give a thing another hue, or make it more or less colourful, darker or brighter."""
    region = random_region(scene.image, rng, AREA, COLOURED)
    if region is None:
        return None
    matte, outline = region
    window = window_around(matte > 0, 1)
    patch = cv2.cvtColor(np.ascontiguousarray(scene.image[window]), cv2.COLOR_RGB2LAB)
    lab = patch.astype(np.float32)
    chroma = lab[..., 1:] - 128
    # The hue of what has none cannot be turned.
    colourful = float(np.abs(chroma[matte[window] > 0.5]).mean()) > 4
    kind = str(rng.choice(['hue', 'saturation', 'brightness', 'tint'], p=[0.4, 0.15, 0.25, 0.2]))
    if kind in ('hue', 'saturation') and not colourful:
        kind = 'brightness' if rng.random() < 0.6 else 'tint'
    if kind == 'hue':
        angle = np.radians(rng.uniform(25, 335))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        lab[..., 1:] = chroma @ turn.T.astype(np.float32) + 128
    elif kind == 'saturation':
        lab[..., 1:] = chroma * (rng.uniform(0, 0.5) if rng.random() < 0.6 else 1.8) + 128
    elif kind == 'tint':
        lab[..., 1:] += rng.uniform(10, 35) * _direction(rng)
    if kind == 'brightness' or rng.random() < 0.3:
        middle, gain = float(lab[..., 0].mean()), rng.uniform(0.7, 1.25)
        shift = rng.uniform(15, 60) * (1 if rng.random() < 0.5 else -1)
        lab[..., 0] = (lab[..., 0] - middle) * gain + middle + shift
    changed = cv2.cvtColor(np.round(lab).clip(0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    return put_back(scene.image, changed, window, matte, {'kind': kind, 'region': outline})


def _direction(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def local_filter(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Blur, sharpen, smooth, pixelate or cover with noise a part of the image."""
    region = random_region(scene.image, rng, AREA, FILTERED)
    if region is None:
        return None
    matte, outline = region
    window = window_around(matte > 0, ROOM)
    kind = str(rng.choice(list(FILTERS), p=list(FILTERS.values())))
    patch = _filtered(np.ascontiguousarray(scene.image[window]), kind, rng)
    return put_back(scene.image, patch, window, matte, {'filter': kind, 'region': outline})


def _filtered(image: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    return {
        'blur': lambda: cv2.GaussianBlur(image, (0, 0), float(np.exp(rng.uniform(-0.2, 1.8)))),
        'motion': lambda: _moved(image, rng),
        'sharpen': lambda: sharpened(image, float(rng.uniform(0.6, 2.0))),
        'median': lambda: cv2.medianBlur(image, int(rng.choice([3, 5, 7]))),
        'mosaic': lambda: _pixelated(image, int(rng.integers(4, 14))),
        'noise': lambda: with_grain(image, grain_of(image) + float(rng.uniform(3, 12)), rng),
        'soft': lambda: resampled(image, float(rng.uniform(0.3, 0.6))),
    }[kind]()


def _moved(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blurred along a line of 9 to 23 pixels."""
    half, angle = int(rng.integers(4, 12)), rng.uniform(0, np.pi)
    line = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    x, y = np.round(np.array([np.cos(angle), np.sin(angle)]) * half).astype(int).tolist()
    cv2.line(line, (half - x, half - y), (half + x, half + y), 1)
    return cv2.filter2D(image, -1, line / float(line.sum()))


def _pixelated(image: np.ndarray, cell: int) -> np.ndarray:
    size = (max(1, image.shape[1] // cell), max(1, image.shape[0] // cell))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
