"""What happens to an image after its forgery: post-processing, and how it is saved.

Untouched blocks keep the traces of two compressions on one grid unless the picture was resized,
blurred, covered with noise or photographed from a screen.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from mmomni.jpeg import encode

from .colour import with_grain
from .jpeg_history import JpegHistory, compress

POST_PROBABILITY = 0.25
# How often each kind is drawn, were post-processing certain.
POST: Mapping[str, float] = {
    'social': 0.3,
    'resave': 0.2,
    'resize': 0.2,
    'screenshot': 0.1,
    'blur': 0.1,
    'noise': 0.1,
}
PLATFORM_SIDES = (1080, 960)
PLATFORM_QUALITY = (70, 85)
RESAVE_QUALITY = (70, 95)
BLUR = (0.4, 1.2)
NOISE = (1.0, 5.0)
SHRINK = (0.5, 0.95)
ENLARGE = (1.05, 1.3)
LEAST_SIDE = 64


class Published(NamedTuple):
    """An image as it is found.

    Attributes:
        data: The file.
        suffix: ``'.jpg'``, or ``'.png'``: a screenshot.
        mask: ``uint8`` (H, W), 0 and 255, of the file's size.
        qualities: libjpeg qualities of all generations, the oldest first.
        subsampling: Their chroma layouts.
        post: ``kind`` and parameters of the post-processing, or ``None``.
    """

    data: bytes
    suffix: str
    mask: np.ndarray
    qualities: list[int]
    subsampling: list[str]
    post: dict[str, Any] | None


def draw_post(rng: np.random.Generator, probability: float) -> str | None:
    """A key of ``POST``, or ``None``; always the same number of draws."""
    kind = str(rng.choice(list(POST), p=list(POST.values())))
    return kind if rng.random() < probability else None


def publish(
    image: np.ndarray,
    mask: np.ndarray,
    history: JpegHistory,
    kind: str | None,
    rng: np.random.Generator,
    max_side: int,
) -> Published:
    """Post-process and save.

    ::

        None, resize, blur, noise    image ─► change ─► JPEG q2
        resave                       image ─► JPEG q2 ─► JPEG q3 (─► JPEG q4)
        social                       image ─► JPEG q2 ─► at most 1080 or 960 px ─► JPEG q3, 4:2:0
        screenshot                   image ─► JPEG q2 ─► scaled ─► PNG

    Args:
        image: ``uint8`` (H, W, 3), compressed once and forged.
        mask: ``uint8`` (H, W), 0 and 255.
        history: Settings of the first and the second compression.
        kind: Key of ``POST``, or ``None``.
        rng: Source of all draws.
        max_side: Longest side of what is enlarged, in pixels.
    """
    qualities, subsampling = list(history.qualities), list(history.subsampling)
    second = qualities[-1], subsampling[-1]
    post: dict[str, Any] | None = None if kind is None else {'kind': kind}
    if kind in ('resize', 'blur', 'noise') and post is not None:
        image, mask, parameters = _edited(image, mask, kind, rng, max_side)
        post.update(parameters)
    elif kind in ('resave', 'social', 'screenshot') and post is not None:
        image = compress(image, *second)
        if kind == 'screenshot':
            scale = 1.0 if rng.random() < 0.3 else float(rng.uniform(*SHRINK))
            image, mask, scale = _scaled(image, mask, scale)
            post['scale'] = scale
            return Published(_png(image), '.png', mask, qualities, subsampling, post)
        if kind == 'social':
            limit = int(rng.choice(PLATFORM_SIDES))
            image, mask, scale = _scaled(image, mask, min(1.0, limit / max(mask.shape)))
            post.update(side=limit, scale=scale)
            second = int(rng.integers(PLATFORM_QUALITY[0], PLATFORM_QUALITY[1] + 1)), '4:2:0'
        else:
            image, second = _resaved(image, qualities, subsampling, rng)
        qualities.append(second[0])
        subsampling.append(second[1])
    return Published(encode(image, *second), '.jpg', mask, qualities, subsampling, post)


def _edited(
    image: np.ndarray, mask: np.ndarray, kind: str, rng: np.random.Generator, max_side: int
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Image, mask and parameters after a change of the whole picture."""
    if kind == 'blur':
        sigma = round(float(rng.uniform(*BLUR)), 2)
        return cv2.GaussianBlur(image, (0, 0), sigma), mask, {'sigma': sigma}
    if kind == 'noise':
        level = round(float(rng.uniform(*NOISE)), 2)
        return with_grain(image, level, rng), mask, {'level': level}
    scale = float(rng.uniform(*(SHRINK if rng.random() < 0.7 else ENLARGE)))
    if scale > 1 and scale * max(mask.shape) > max_side:
        scale = 1 / scale
    image, mask, scale = _scaled(image, mask, scale)
    return image, mask, {'scale': scale}


def _resaved(
    image: np.ndarray, qualities: list[int], subsampling: list[str], rng: np.random.Generator
) -> tuple[np.ndarray, tuple[int, str]]:
    """One or two generations more: the image before the last one, and that one's settings."""
    low, high = RESAVE_QUALITY
    last = int(rng.integers(low, high + 1)), str(rng.choice(['4:4:4', '4:2:0']))
    if rng.random() < 0.4:
        between = int(rng.integers(low, high + 1))
        image = compress(image, between, last[1])
        qualities.append(between)
        subsampling.append(last[1])
    return image, last


def _scaled(
    image: np.ndarray, mask: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Both scaled, and the scale used: no side falls below ``LEAST_SIDE``, no mask vanishes."""
    scale = round(max(scale, min(1.0, LEAST_SIDE / min(mask.shape))), 3)
    if scale == 1:
        return image, mask, scale
    size = (round(mask.shape[1] * scale), round(mask.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    soft = cv2.resize(mask, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    hard = np.where(soft > 127, 255, 0).astype(np.uint8)
    if mask.any() and not hard.any():
        return image, mask, 1.0
    return cv2.resize(image, size, interpolation=method), hard, scale


def _png(image: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, 'PNG', compress_level=3)
    return buffer.getvalue()
