"""EXIF orientation: how a file's pixels are turned before a person sees them.

One rule for all formats: pixels are taken as they are stored, where coefficients and masks lie, and
turned for people alone.
"""

import cv2
import numpy as np
from PIL import ExifTags, Image

UPRIGHT = 1
_INVERSE = {6: 8, 8: 6}
"""Orientations that another one undoes; all others undo themselves."""

_PNG_KEYS = {'exif', 'Raw profile type exif', 'xmp', 'XML:com.adobe.xmp'}
"""Of what Pillow tells of a PNG, those in which an orientation can be."""

Box = tuple[int, int, int, int]


def orientation_of(image: Image.Image) -> int:
    """EXIF or XMP orientation, 1 to 8, of an opened file whose pixels were not read yet.

    A file whose EXIF cannot be read counts as upright.
    """
    orientation = readable_orientation_of(image)
    return UPRIGHT if orientation is None else orientation


def readable_orientation_of(image: Image.Image) -> int | None:
    """:func:`orientation_of`, ``None`` where the file has EXIF that cannot be read."""
    # Of a PNG without any, Pillow would decode all pixels to look behind them.
    if image.format == 'PNG' and not _PNG_KEYS & image.info.keys():
        return UPRIGHT
    try:
        # Pillow may have failed on it before, of which getexif() says nothing.
        Image.Exif().load(image.info.get('exif') or b'')
        value = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except Exception:  # (alien bytes in the place of EXIF make Pillow raise anything)
        if image.format == 'TIFF':  # whose directory is no mere metadata
            raise
        return None
    return value if value in range(1, 9) else UPRIGHT


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height as stored, of an opened file whose pixels were not read yet.

    Of TIFFs, Pillow tells the size that viewers see.
    """
    width, height = image.size
    tags = getattr(image, 'tag_v2', {}) if image.format == 'TIFF' else {}
    turned = tags.get(ExifTags.Base.Orientation, UPRIGHT) in range(5, 9)  # that of XMP turns none
    return (height, width) if turned else (width, height)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a stored image or map, (H, W) or (H, W, 3), as a viewer does; no copy for 1.

    Raises:
        ValueError: The orientation is none of EXIF, 1 to 8.
    """
    if orientation not in range(1, 9):
        raise ValueError(f'expected an EXIF orientation from 1 to 8, got {orientation}')
    if orientation > 4:  # stored on its side
        pixels = cv2.transpose(pixels)
    mirrored_x, mirrored_y = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    if mirrored_x or mirrored_y:
        pixels = cv2.flip(pixels, -1 if mirrored_x and mirrored_y else int(mirrored_x))
    return pixels


def upright_box(box: Box, shape: tuple[int, int], orientation: int) -> Box:
    """A box ``x1, y1, x2, y2`` (right and lower edges exclusive), turned like its image.

    The image has ``shape`` (H, W) as it is stored, and an EXIF orientation of 1 to 8.
    """
    x1, y1, x2, y2 = box
    height, width = shape
    if orientation > 4:
        x1, y1, x2, y2, height, width = y1, x1, y2, x2, width, height
    if orientation in (2, 3, 6, 7):
        x1, x2 = width - x2, width - x1
    if orientation in (3, 4, 7, 8):
        y1, y2 = height - y2, height - y1
    return x1, y1, x2, y2


def as_stored(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The inverse of :func:`upright`."""
    return upright(pixels, _INVERSE.get(orientation, orientation))
