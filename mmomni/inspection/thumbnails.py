"""Small pictures of suspicious images, as bytes of JPEG files."""

from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from mmomni.datasets.masks import colours_of, mask_values, tampered_pixels
from mmomni.datasets.stored_files import read_bytes
from mmomni.jpeg import ImageReadError, decode, open_image
from mmomni.jpeg.orientation import orientation_of, upright
from mmomni.utils.quiet import without_words_of_decoders

SIDE = 168
OUTLINE = (255, 0, 200)
HALO = (255, 255, 255)


@without_words_of_decoders()
def image_thumbnail(image: str, mask: str | None = None) -> bytes | None:
    """An image with the outline of its mask; ``None`` if it cannot be read."""
    pixels = _pixels(image)
    if pixels is None:
        return None
    small = _shrink(pixels)
    tampered = None if mask is None else _tampered(mask)
    if tampered is not None:
        small = _outlined(small, tampered)
    return _jpeg(small)


@without_words_of_decoders()
def upright_thumbnail(image: str) -> bytes | None:
    """An image turned as viewers turn it, by its EXIF orientation."""
    try:
        data = read_bytes(image)
        with open_image(data) as opened:
            orientation = orientation_of(opened)
        pixels = upright(decode(data, image), orientation)
    except Exception:  # noqa: BLE001  (what cannot be shown was reported already)
        return None
    return _jpeg(_shrink(pixels))


@without_words_of_decoders()
def mask_thumbnail(mask: str) -> bytes | None:
    """A mask as it is stored, brightened to full range; ``None`` if it cannot be read."""
    try:
        small = _shrink(_colours(read_bytes(mask), mask))
    except Exception:  # noqa: BLE001  (what cannot be shown was reported already)
        return None
    peak = int(small.max())
    return _jpeg((small.astype(np.uint32) * 255 // max(peak, 1)).astype(np.uint8))


def _colours(data: bytes, mask: str) -> np.ndarray:
    """Those that say what is tampered, or, where that is not clear, those of the file."""
    try:
        return mask_values(data, mask).colours
    except ImageReadError:
        return colours_of(data, mask)[0]


def _pixels(path: str) -> np.ndarray | None:
    try:
        return decode(read_bytes(path), path)
    except Exception:  # noqa: BLE001  (what cannot be shown was reported already)
        return None


def _tampered(path: str) -> np.ndarray | None:
    try:
        return tampered_pixels(read_bytes(path), path)
    except Exception:  # noqa: BLE001
        return None


def _shrink(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _outlined(image: np.ndarray, tampered: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    region = cv2.resize(tampered.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    edges = (region > 0.5).astype(np.uint8)
    if tampered.any() and not edges.any():  # a speck is still worth an outline
        edges = (region > 0).astype(np.uint8)
    contours = cv2.findContours(edges, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
    image = cv2.drawContours(np.ascontiguousarray(image), contours, -1, HALO, 3)
    return cv2.drawContours(image, contours, -1, OUTLINE, 1)


def _jpeg(pixels: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, 'JPEG', quality=80)
    return buffer.getvalue()
