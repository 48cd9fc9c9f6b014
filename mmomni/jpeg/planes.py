"""The five planes that travel through a network as one image (paper, section 3.1).

Letters: ``H W`` height and width in pixels. Knows nothing of torch or OpenMMLab.
"""

from typing import NamedTuple

import cv2
import numpy as np

from .codec import ImageReadError, encode
from .luma import MAX_COEFFICIENT, Luma, obstacle_to_luma, read_luma

MAX_STEP = 63
"""Quantisation steps above are read as 63 by networks: DTD's table of 64 entries crashes there."""


class FoundLuma(NamedTuple):
    """Coefficients of an image.

    Attributes:
        luma: Of its file, or of one save at quality 100, 4:4:4.
        obstacle: Why the image had to be saved; empty: the coefficients are its file's.
    """

    luma: Luma
    obstacle: str


def luma_of_image(
    image: np.ndarray,
    data: bytes,
    name: str = 'image',
    backend: str = 'jpeglib',
    transcode_unreadable: bool = False,
) -> FoundLuma:
    """The coefficients of the very JPEG that the pixels came from, if they came from one.

    Args:
        image: BGR, ``uint8`` (H, W, 3).
        data: The file that it was decoded from; empty where there is none.
        name: What an error message calls it, usually its path.
        backend: See :func:`.read_luma`.
        transcode_unreadable: Save a JPEG, too, whose coefficients cannot be read.

    Raises:
        ImageReadError: They cannot, and it is not to be saved.
    """
    obstacle = obstacle_to_luma(data)  # no bytes: an array, never a file
    if not obstacle:
        try:
            return FoundLuma(_luma_of_file(data, name, backend, image.shape[:2]), '')
        except ImageReadError as error:
            if not transcode_unreadable:
                raise
            cause = error.__cause__ or 'of another size than its pixels'
            obstacle = f'a JPEG whose coefficients cannot be read ({cause})'
    return FoundLuma(read_luma(encode(image, 100, '4:4:4', name, 'bgr'), backend, name), obstacle)


def _luma_of_file(data: bytes, name: str, backend: str, shape: tuple[int, ...]) -> Luma:
    luma = read_luma(data, backend, name)
    if luma.coefficients.shape[0] < shape[0] or luma.coefficients.shape[1] < shape[1]:
        raise ImageReadError(
            f'{name}: expected luma at full resolution '
            f'{tuple(shape)}, got {luma.coefficients.shape}; save the image again'
        )
    return luma


def magnitude(coefficients: np.ndarray) -> np.ndarray:
    """``|q|`` clipped to 0..20: ``int16`` (H, W) -> ``uint8`` (H, W)."""
    absolute = cv2.convertScaleAbs(coefficients)
    return cv2.threshold(absolute, MAX_COEFFICIENT, 0, cv2.THRESH_TRUNC)[1]


def steps(table: np.ndarray) -> np.ndarray:
    """Quantisation steps clipped to 255: ``uint16`` (8, 8) -> ``uint8`` (8, 8)."""
    return table.clip(max=255).astype(np.uint8)


def step_plane(table: np.ndarray, height: int, width: int) -> np.ndarray:
    """The step of each pixel's frequency, the table tiled: (8, 8) -> (H, W)."""
    return np.tile(table, (-(-height // 8), -(-width // 8)))[:height, :width]


def five_planes(image: np.ndarray, dct: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Red, green, blue, ``|q|`` and the quantisation step of each pixel's frequency.

    Args:
        image: BGR, ``uint8`` (H, W, 3).
        dct: Of :func:`magnitude`, (H, W).
        table: Of :func:`steps`, (8, 8).

    Returns:
        ``uint8`` (5, H, W), contiguous.
    """
    height, width = dct.shape
    planes = np.empty((5, height, width), dtype=np.uint8)
    cv2.split(image, [planes[2], planes[1], planes[0]])
    planes[3] = dct
    planes[4] = step_plane(table, height, width)
    return planes
