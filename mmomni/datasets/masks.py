"""What a ground-truth mask says, whatever file it is in: the one meaning of "tampered"."""

import numpy as np

from mmomni.jpeg import decode, open_image
from mmomni.jpeg.codec import deep_values

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
        # Values of 16 bits may all lie in bits that decode() drops.
        deep = deep_values(image, data)
        if deep is not None:
            values = deep.values
            colours = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
        return colours, image.format in ('JPEG', 'MPO')
