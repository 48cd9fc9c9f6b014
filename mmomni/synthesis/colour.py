"""Changes of colour and sharpness; all ``uint8`` (H, W, 3), RGB, in and out."""

import cv2
import numpy as np

# A mask, ``bool`` (H, W), or rows and columns.
Region = np.ndarray | tuple[slice, slice]


def as_grey(image: np.ndarray) -> np.ndarray:
    """The luma of an image in all three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def reinhard(
    content: np.ndarray, where: Region, image: np.ndarray, there: Region, strength: float = 1.0
) -> np.ndarray:
    """Give ``content`` the mean and deviation in Lab that ``image`` has elsewhere.

    Those of ``content`` are measured at ``where``, those of ``image`` at ``there``. A ``strength``
    of 0 changes nothing, 1 goes all the way. Reinhard et al., "Color Transfer between Images",
    2001; the gain is kept within 0.6 to 1.6.
    """
    ours = cv2.cvtColor(content, cv2.COLOR_RGB2LAB).astype(np.float32)
    mine = ours[where].reshape(-1, 3)
    theirs = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[there].astype(np.float32).reshape(-1, 3)
    if not mine.size or not theirs.size:
        return content
    gain = (theirs.std(axis=0) / (mine.std(axis=0) + 1e-3)).clip(0.6, 1.6)
    gain = 1 + strength * (gain - 1)
    shift = strength * (theirs.mean(axis=0) - mine.mean(axis=0))
    matched = (ours - mine.mean(axis=0)) * gain + mine.mean(axis=0) + shift
    return cv2.cvtColor(np.round(matched).clip(0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)


def towards_mean(
    content: np.ndarray, image: np.ndarray, mask: np.ndarray, strength: float
) -> np.ndarray:
    """Move the content's mean colour inside of a mask a part of the way to the image's there."""
    if not mask.any():
        return content
    offset = image[mask].mean(axis=0) - content[mask].mean(axis=0)
    return np.round(content + strength * offset).clip(0, 255).astype(np.uint8)


def jitter_colours(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random contrast (0.9 to 1.1) and an offset of up to 12 grey levels per channel."""
    gain, offset = rng.uniform(0.9, 1.1), rng.uniform(-12, 12, 3)
    return np.round(image * gain + offset).clip(0, 255).astype(np.uint8)


def re_expose(image: np.ndarray, stops: float) -> np.ndarray:
    """Expose anew by some stops: light scaled by ``2 ** stops`` at a display gamma of 2.2."""
    table = 255 * (np.arange(256) / 255) * 2 ** (stops / 2.2)
    return cv2.LUT(image, np.round(table).clip(0, 255).astype(np.uint8))


def resampled(image: np.ndarray, factor: float) -> np.ndarray:
    """Shrink by ``factor`` (below 1) and enlarge to the old size."""
    height, width = image.shape[:2]
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def change_sharpness(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, sharpen or resample at random."""
    kind = rng.integers(3)
    if kind == 0:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.5))
    if kind == 1:
        return sharpened(image, 0.6)
    return resampled(image, rng.uniform(0.4, 0.9))


def sharpened(image: np.ndarray, amount: float) -> np.ndarray:
    """An unsharp mask of 1.2 pixels."""
    soft = cv2.GaussianBlur(image, (0, 0), 1.2)
    return cv2.addWeighted(image, 1 + amount, soft, -amount, 0)


def with_grain(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Add grey noise of a standard deviation in grey levels."""
    grain = rng.normal(0, level, image.shape[:2])[..., None]
    return np.round(image + grain).clip(0, 255).astype(np.uint8)


def grain_of(image: np.ndarray) -> float:
    """Robust noise level of an image in grey levels, 6 at most, from its high-pass residual."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    residual = grey - cv2.GaussianBlur(grey, (0, 0), 1)
    return float(min(1.4826 * np.median(np.abs(residual)) + 0.3, 6))
