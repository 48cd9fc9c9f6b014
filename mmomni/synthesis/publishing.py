"""What happens to an image after its forgery: post-processing, and how it is saved.

Untouched blocks keep the traces of two compressions on one grid unless the picture was resized,
blurred, covered with noise or photographed from a screen.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from .jpeg_history import Generation, History, draw_generation
from .whole_edits import EDITS

POST_PROBABILITY = 0.3
# Kinds that change the picture before it is saved.
CHANGES = ('resize', 'crop', *EDITS)
# How often each kind is drawn, were post-processing certain.
POST: Mapping[str, float] = {
    'social': 0.22,
    'resave': 0.18,
    'resize': 0.15,
    'levels': 0.12,
    'crop': 0.08,
    'sharpen': 0.07,
    'screenshot': 0.06,
    'blur': 0.06,
    'noise': 0.06,
}
PLATFORM_SIDES = (1080, 960)
PLATFORM_QUALITY = (70, 85)
RESAVE_QUALITY = (70, 95)
SHRINK = (0.5, 0.95)
ENLARGE = (1.05, 1.3)
# The most that is cut off at each border, over the side.
CROP = 0.12
LEAST_SIDE = 64


class Form(NamedTuple):
    """How a file is saved: as a PNG or a JPEG, with one channel or three."""

    png: bool = False
    grey: bool = False


COLOUR_JPEG = Form()


class Published(NamedTuple):
    """An image as it is found.

    Attributes:
        data: The file.
        suffix: ``'.jpg'`` or ``'.png'``.
        mask: ``uint8`` (H, W), 0 and 255, of the file's size.
        qualities: libjpeg qualities of all generations, the oldest first; ``None``: of a camera's
            or another program's tables.
        subsampling: Their chroma layouts; ``None``: that of the source.
        post: ``kind`` and parameters of the post-processing, or ``None``.
    """

    data: bytes
    suffix: str
    mask: np.ndarray
    qualities: list[int | None]
    subsampling: list[str | None]
    post: dict[str, Any] | None


def draw_post(rng: np.random.Generator, probability: float) -> str | None:
    """A key of ``POST``, or ``None``; always the same number of draws."""
    kind = str(rng.choice(list(POST), p=list(POST.values())))
    return kind if rng.random() < probability else None


def publish_image(
    image: np.ndarray,
    mask: np.ndarray,
    history: History,
    kind: str | None,
    rng: np.random.Generator,
    max_side: int,
    form: Form = COLOUR_JPEG,
) -> Published:
    """Post-process and save.

    ::

        None                         image ─► JPEG q2
        resize, crop, levels,        image ─► change ─► JPEG q2
          sharpen, blur, noise
        resave                       image ─► JPEG q2 ─► JPEG q3 (─► JPEG q4)
        social                       image ─► JPEG q2 ─► at most 1080 or 960 px ─► JPEG q3, 4:2:0
        screenshot                   image ─► JPEG q2 ─► scaled ─► PNG

    A PNG is saved instead of JPEG q2, unless the file is sent on in one of the last three ways.

    Args:
        image: ``uint8`` (H, W, 3), compressed once or not, and forged; of a grey file, all three
            channels alike.
        mask: ``uint8`` (H, W), 0 and 255.
        history: The generations.
        kind: Key of ``POST``, or ``None``.
        rng: Source of all draws.
        max_side: Longest side of what is enlarged, in pixels.
        form: Whether the file is a PNG, and whether it is grey.
    """
    post: dict[str, Any] | None = None
    if kind in CHANGES:
        image, mask, parameters = _changed(image, mask, str(kind), rng, max_side)
        post = {'kind': kind, **parameters}
    generations = history.earlier
    if form.png and (kind is None or kind in CHANGES):
        return _published(_png(image, form), '.png', mask, generations, post)
    last = history.second
    generations = [*generations, last]
    if kind in ('resave', 'social', 'screenshot'):
        image, post = history.second(image), {'kind': kind}
    if kind == 'screenshot':
        scale = 1.0 if rng.random() < 0.3 else float(rng.uniform(*SHRINK))
        image, mask, scale = _scaled(image, mask, scale)
        post = {'kind': kind, 'scale': scale}
        return _published(_png(image, form), '.png', mask, generations, post)
    if kind == 'social':
        limit = int(rng.choice(PLATFORM_SIDES))
        image, mask, scale = _scaled(image, mask, min(1.0, limit / max(mask.shape)))
        post = {'kind': kind, 'side': limit, 'scale': scale}
        last = draw_generation(rng, PLATFORM_QUALITY)._replace(subsampling='4:2:0')
        generations.append(last)
    if kind == 'resave':
        if rng.random() < 0.4:
            generations.append(between := draw_generation(rng, RESAVE_QUALITY))
            image = between(image)
        generations.append(last := draw_generation(rng, RESAVE_QUALITY))
    data = last.save(image[..., 0] if form.grey else image)
    return _published(data, '.jpg', mask, generations, post)


def _published(
    data: bytes,
    suffix: str,
    mask: np.ndarray,
    generations: Sequence[Generation | None],
    post: dict[str, Any] | None,
) -> Published:
    """An image with the qualities and chroma layouts of its generations."""
    qualities = [None if each is None else each.quality for each in generations]
    layouts = [None if each is None else each.subsampling for each in generations]
    return Published(data, suffix, mask, qualities, layouts, post)


def _changed(
    image: np.ndarray, mask: np.ndarray, kind: str, rng: np.random.Generator, max_side: int
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Image, mask and parameters after a change of the whole picture."""
    if kind in EDITS:
        image, parameters = EDITS[kind](image, rng)
        return image, mask, parameters
    if kind == 'crop':
        return _cropped(image, mask, rng)
    scale = float(rng.uniform(*(SHRINK if rng.random() < 0.7 else ENLARGE)))
    if scale > 1 and scale * max(mask.shape) > max_side:
        scale = 1 / scale
    image, mask, scale = _scaled(image, mask, scale)
    return image, mask, {'scale': scale}


def _cropped(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """A strip cut off at each border, unless something forged would vanish with it."""
    height, width = mask.shape
    strips = rng.uniform(0, CROP, 4) * [height, width, height, width]
    top, left, bottom, right = strips.astype(int).tolist()
    window = np.s_[top : height - bottom, left : width - right]
    small = min(mask[window].shape) < LEAST_SIDE
    if small or (mask.any() and mask[window].sum() < 0.5 * float(mask.sum())):
        return image, mask, {'at': [0, 0]}
    return np.ascontiguousarray(image[window]), mask[window].copy(), {'at': [top, left]}


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


def _png(image: np.ndarray, form: Form) -> bytes:
    return png_of(np.ascontiguousarray(image[..., 0] if form.grey else image), compress_level=3)


def png_of(pixels: np.ndarray, **options: int) -> bytes:
    """A PNG of ``uint8`` (H, W) or (H, W, 3), with options of Pillow's."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, 'PNG', **options)
    return buffer.getvalue()
