"""What a ground-truth mask says, whatever file it is in: the one meaning of "tampered"."""

from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from mmomni.jpeg import ImageReadError, decode, values_of
from mmomni.jpeg.orientation import as_stored, orientation_of

LOSSY_THRESHOLD = 127
"""A JPEG cannot hold a clean mask: its ringing around edges is no ground truth."""


def tampered_pixels(data: bytes, name: str = 'mask') -> np.ndarray:
    """Which pixels are tampered.

    A pixel is tampered where any channel differs from 0, in 0/1, 0/255, colours, a palette or
    16 bits alike; alpha is ignored. Masks saved as JPEG are cut at 127 instead.

    Args:
        data: The whole file.
        name: What an error message calls it, usually the path.

    Returns:
        ``bool`` (H, W).

    Raises:
        ImageReadError: The bytes are no image, or none whose values can be read.
    """
    return tampered_of(decode(data, name), data, name)


def tampered_of(rgb: np.ndarray, data: bytes, name: str = 'mask') -> np.ndarray:
    """:func:`tampered_pixels` of a file that is decoded already: ``rgb`` is (H, W, 3)."""
    values = rgb.max(axis=2)
    with Image.open(BytesIO(data)) as image:
        if image.format in ('JPEG', 'MPO'):
            return values > LOSSY_THRESHOLD
        # Values of 16 bits may all lie in the byte that decode() drops.
        if image.mode.startswith('I'):
            values = values_of(image)
        elif image.mode in ('RGB', 'RGBA') and image.format in ('PNG', 'TIFF'):
            values = _colours(image, data, name)
    return values != 0


def _colours(image: Image.Image, data: bytes, name: str) -> np.ndarray:
    """The largest of each pixel's colours in all their bits, which Pillow does not keep, (H, W)."""
    raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if raw is None:
        raise ImageReadError(f'{name}: OpenCV cannot decode this {image.format}; save it again')
    if image.format == 'TIFF':  # of which OpenCV turns the pixels
        raw = as_stored(raw, orientation_of(image))
    return raw[..., :3].max(axis=2)
