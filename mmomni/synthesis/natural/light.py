"""Light on a thing that was brought in: its colours, shading, sharpness, grain and shadow."""

from typing import Any

import cv2
import numpy as np

from mmomni.synthesis.colour import grain_of, re_expose, reinhard, towards_mean, with_grain

# How much darker the ground is where a shadow is darkest, and from where on it is seen.
DARKNESS = (0.25, 0.6)
SEEN_SHADOW = 0.04
# Lengths of shadows over the thing's height.
LONGEST_SHADOW, SHORTEST_SHADOW = 0.5, 0.12


def in_its_light(
    content: np.ndarray,
    image: np.ndarray,
    mask: np.ndarray,
    rng: np.random.Generator,
    most: float = 0.8,
) -> tuple[np.ndarray, str]:
    """The content with its colours left, moved to the place's mean, or fitted to it.

    Images are ``uint8`` (H, W, 3), the mask ``bool`` (H, W). ``most``, up to 1, is the farthest
    that colours are fitted; how they are: ``'as they are'``, ``'mean'`` or ``'reinhard'``.
    """
    kind = str(rng.choice(['as they are', 'mean', 'reinhard']))
    if kind == 'mean':
        content = towards_mean(content, image, mask, rng.uniform(0.2, 0.9 * most))
    elif kind == 'reinhard':
        reach = int(0.1 * max(mask.shape)) | 1
        around = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
        content = reinhard(content, mask, image, around, rng.uniform(0.3 * most, most))
    return content, kind


def relit(
    content: np.ndarray, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """The content with another exposure, a light from one side, softer, or with grain: or none."""
    details: dict[str, Any] = {}
    if rng.random() < 0.3:
        stops = round(float(rng.uniform(-0.6, 0.6)), 2)
        content = re_expose(content, stops)
        details['stops'] = stops
    if rng.random() < 0.25:
        content = _from_one_side(content, mask, rng)
        details['shaded'] = True
    if rng.random() < 0.3:
        content = cv2.GaussianBlur(content, (0, 0), rng.uniform(0.4, 1.0))
        details['softened'] = True
    if rng.random() < 0.25:
        content = with_grain(content, grain_of(image), rng)
        details['grain'] = True
    return content, details


def _from_one_side(content: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brighter on one side of the mask and darker on the other, by up to 30 %."""
    x = np.flatnonzero(mask.any(axis=0))
    slope = float(rng.uniform(0.1, 0.3)) * (1 if rng.random() < 0.5 else -1)
    middle, half = x.mean() if x.size else 0.0, max(np.ptp(x) / 2 if x.size else 1, 1)
    gain = 1 + slope * ((np.arange(content.shape[1]) - middle) / half).clip(-1, 1)
    return np.round(content * gain[None, :, None]).clip(0, 255).astype(np.uint8)


def shadow_of(matte: np.ndarray, feet: float, rng: np.random.Generator) -> np.ndarray:
    """The shadow of a thing with a matte, ``float32`` (H, W), that stands on the row ``feet``.

    It is ``float32`` (H, W) in [0, 1]: the share of the light that it takes; 0 on the thing itself.
    Where that is more than ``SEEN_SHADOW``, it counts as forged.
    """
    height, width = matte.shape
    length = float(rng.uniform(SHORTEST_SHADOW, LONGEST_SHADOW))
    # Behind the thing (upwards in the picture) or in front of it.
    length *= 1 if rng.random() < 0.6 else -1
    lean = float(rng.uniform(-0.9, 0.9))
    warp = np.array([[1, -lean, lean * feet], [0, length, feet * (1 - length)]])
    shadow = cv2.warpAffine(matte, warp, (width, height), flags=cv2.INTER_LINEAR)
    sigma = max(0.8, float(rng.uniform(0.004, 0.015)) * max(height, width))
    shadow = cv2.GaussianBlur(shadow, (0, 0), sigma)
    peak, darkness = float(shadow.max()), float(rng.uniform(*DARKNESS))
    if peak <= 0.05:
        return np.zeros_like(matte)
    shadow = shadow * (darkness / peak) * (1 - matte)
    shadow[shadow < 1 / 512] = 0  # less than half a grey level
    return shadow


def darkened(image: np.ndarray, shadow: np.ndarray) -> np.ndarray:
    """``image``, ``uint8`` (H, W, 3), without the share of its light that a shadow takes."""
    return np.round(image * (1 - shadow[..., None])).clip(0, 255).astype(np.uint8)
