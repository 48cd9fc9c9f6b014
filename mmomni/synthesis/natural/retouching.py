"""Forging operations on photos that leave a thing in its place and make its pixels anew."""

import cv2
import numpy as np

from mmomni.synthesis.colour import change_sharpness, grain_of, resampled, sharpened, with_grain
from mmomni.synthesis.jpeg_history import draw_generation, on_same_grid
from mmomni.synthesis.scene import Edit, Scene

from .in_place import put_back, random_region
from .inpainting import window_around

AREA = (0.02, 0.25)
RESAVE_QUALITY = (30, 92)
# Pixels around the region that are saved with it.
ROOM = 24


def regenerate(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Stand in for a generator's decoder: resample, or denoise and put new noise.

    As after an autoencoder, all is there still, but no pixel is the camera's.
    """
    region = random_region(scene.image, rng, AREA)
    if region is None:
        return None
    matte, kind = region
    window = window_around(matte > 0, ROOM)
    patch = np.ascontiguousarray(scene.image[window])
    variant = str(rng.choice(['resample', 'denoise']))
    if variant == 'resample':
        patch = sharpened(resampled(patch, rng.uniform(0.3, 0.6)), rng.uniform(0.3, 1.0))
    else:
        strength = rng.uniform(15, 45)
        for _ in range(2):
            patch = cv2.bilateralFilter(patch, 5, strength, 2.5)
    patch = with_grain(patch, grain_of(scene.image) * rng.uniform(0.4, 1.1), rng)
    return put_back(scene.image, patch, window, matte, {'variant': variant, 'region': kind})


def local_resave(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Cut a region out, save it at another quality or on another grid, and put it back.

    One in seven keeps the grid, so that the quality alone differs; one in five has the quality
    of the image's first generation, so that the grid alone does.
    """
    region = random_region(scene.image, rng, AREA)
    if region is None:
        return None
    matte, kind = region
    rows, columns = window_around(matte > 0, ROOM)
    kept = scene.keeps_grid(rng, 0.15)
    if kept:
        y, x = rows.start // 8 * 8, columns.start // 8 * 8
    else:  # where a hand would start the crop: anywhere, hence (63 times in 64) off the grid
        y, x = (max(0, side.start - int(rng.integers(8))) for side in (rows, columns))
        if on_same_grid(y, x):
            return None
    window = (slice(y, rows.stop), slice(x, columns.stop))
    patch = np.ascontiguousarray(scene.image[window])
    if rng.random() < 0.3:
        patch = change_sharpness(patch, rng)
    generation = draw_generation(rng, RESAVE_QUALITY)
    if scene.first is not None and not kept and rng.random() < 0.2:
        generation = scene.first
    details = {'quality': generation.quality, 'grid': 'kept' if kept else 'own', 'region': kind}
    return put_back(scene.image, generation(patch), window, matte, details)
