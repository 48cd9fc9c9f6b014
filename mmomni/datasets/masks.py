"""What a ground-truth mask says, whatever file it is in: the one meaning of "tampered"."""

import cv2
import numpy as np
from PIL import Image

from mmomni.jpeg import ImageReadError, decode, open_image, values_of
from mmomni.jpeg.orientation import as_stored, orientation_of

LOSSY_THRESHOLD = 127
"""A JPEG cannot hold a clean mask: its ringing around edges is no ground truth."""
DEEP_FORMATS = ('PNG', 'TIFF', 'PPM')
"""Those whose colours may have 16 bits."""


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
    return tampered_of(*colours_of(data, name))


def tampered_of(colours: np.ndarray, lossy: bool) -> np.ndarray:
    """:func:`tampered_pixels` by what :func:`colours_of` says of a file."""
    return colours.max(axis=2) > (LOSSY_THRESHOLD if lossy else 0)


def colours_of(data: bytes, name: str = 'mask') -> tuple[np.ndarray, bool]:
    """A mask's colours as stored, in all the bits of the file.

    Args:
        data: The whole file.
        name: What an error message calls it, usually the path.

    Returns:
        ``uint8`` or ``uint16`` (H, W, 3), and whether it was saved as JPEG.

    Raises:
        ImageReadError: The bytes are no image, or none whose values can be read.
    """
    colours = decode(data, name)
    with open_image(data) as image:
        # Values of 16 bits may all lie in the byte that decode() drops.
        if image.mode.startswith('I'):
            colours = np.repeat(values_of(image).astype(np.uint16)[..., None], 3, axis=2)
        elif image.mode in ('RGB', 'RGBA') and image.format in DEEP_FORMATS:
            colours = _in_all_bits(colours, image, data, name)
        return colours, image.format in ('JPEG', 'MPO')


def _in_all_bits(rgb: np.ndarray, image: Image.Image, data: bytes, name: str) -> np.ndarray:
    """Colours of 16 bits, which Pillow does not keep, as OpenCV has them; those of 8 as decoded."""
    raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if raw is None:
        raise ImageReadError(f'{name}: OpenCV cannot decode this {image.format}; save it again')
    if raw.dtype != np.uint16:  # in a TIFF, OpenCV multiplies them by their alpha
        return rgb
    if image.format == 'TIFF':  # of which OpenCV turns the pixels
        raw = as_stored(raw, orientation_of(image))
    return np.ascontiguousarray(raw[..., 2::-1])
