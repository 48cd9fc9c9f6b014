"""Forging operations on photos that leave a thing in its place and make its pixels anew."""

import cv2
import numpy as np

from .colour import change_sharpness, grain_of, resampled, sharpened, with_grain
from .inpainting import window_around
from .jpeg_history import SUBSAMPLINGS, compress, on_same_grid
from .regions import FEATHER, blend, matte_of
from .scene import Edit, Scene
from .segments import random_outline

AREA = (0.02, 0.25)
RESAVE_QUALITY = (30, 92)
# Pixels around the region that are saved with it.
ROOM = 24


def regenerate(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Stand in for a generator's decoder: resample, or denoise and put new noise.

    As after an autoencoder, all is there still, but no pixel is the camera's.
    """
    region = _region(scene, rng)
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
    return _put_back(scene.image, patch, window, matte, {'variant': variant, 'region': kind})


def local_resave(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Cut a region out, save it on a grid of its own at another quality, and put it back."""
    region = _region(scene, rng)
    if region is None:
        return None
    matte, kind = region
    rows, columns = window_around(matte > 0, ROOM)
    # Where a hand would start the crop: anywhere, hence (63 times in 64) off the image's grid.
    y, x = (max(0, side.start - int(rng.integers(8))) for side in (rows, columns))
    window = (slice(y, rows.stop), slice(x, columns.stop))
    if on_same_grid(y, x):
        return None
    quality = int(rng.integers(RESAVE_QUALITY[0], RESAVE_QUALITY[1] + 1))
    patch = np.ascontiguousarray(scene.image[window])
    if rng.random() < 0.3:
        patch = change_sharpness(patch, rng)
    patch = compress(patch, quality, str(rng.choice(SUBSAMPLINGS)))
    return _put_back(scene.image, patch, window, matte, {'quality': quality, 'region': kind})


def _region(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, str] | None:
    """A matte, and the kind of its outline."""
    outline = random_outline(scene.image, rng, AREA)
    if outline is None:
        return None
    size = scene.image.shape[0], scene.image.shape[1]
    feather = int(rng.integers(FEATHER[0], FEATHER[1] + 1))
    return matte_of(outline.contour + outline.at[::-1], size, feather), outline.kind


def _put_back(
    image: np.ndarray,
    patch: np.ndarray,
    window: tuple[slice, slice],
    matte: np.ndarray,
    details: dict[str, str | int],
) -> Edit:
    content = image.copy()
    content[window] = patch
    return Edit(blend(image, content, matte), matte, dict(details))
