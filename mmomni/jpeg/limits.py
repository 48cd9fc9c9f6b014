"""What an image file may cost whoever reads it: bytes, pixels and scans, known before decoding."""

import re

from .codec import ImageReadError
from .tiff.directories import is_tiff
from .tiff.pixels import jpegs_in

MAX_PIXELS = 178_956_970
"""Pillow's own limit (89 megapixels, twice), beyond which it refuses to open an image."""
MOST_SCANS = 500
"""So many scans of a JPEG are read; progressive ones have about ten. A megabyte could hold
65,000, minutes of work."""
SCAN_HEADER = re.compile(rb'\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)')
"""A scan's marker, length and number of components, which decide whether a decoder goes on."""
SMALLEST_SIDE = 32
BYTES_A_PIXEL = 8  # four channels of 16 bits, not compressed


def check_bytes(number: int, name: str, max_pixels: int, of: str = 'bytes') -> None:
    """Raises ``ImageReadError`` for a file far larger than its pixels can be, or what is in it."""
    if number > most_bytes(max_pixels):
        raise ImageReadError(
            f'{name}: expected at most {most_bytes(max_pixels):,} {of}, more than '
            f'{max_pixels:,} pixels can take, got {number:,}; remove what is not the image'
        )


def most_bytes(max_pixels: int) -> int:
    """So many bytes of a file are read: what the pixels can take, and room for metadata."""
    return BYTES_A_PIXEL * max_pixels + 2**26


def check_scans(data: bytes, name: str) -> None:
    """Raises ``ImageReadError`` for a JPEG of so many scans that decoding would take minutes.

    Of a TIFF, that is each of the JPEGs which its picture is made of; those that nobody takes apart
    libtiff decodes, which has a limit of its own.
    """
    for stream in jpegs_in(data) if is_tiff(data) else [data]:
        if stream.count(b'\xff\xda') <= MOST_SCANS:  # ten times faster than the rest
            continue
        scans = len(SCAN_HEADER.findall(stream))
        if scans > MOST_SCANS:
            raise ImageReadError(
                f'{name}: expected at most {MOST_SCANS} scans in a JPEG, got {scans:,}, each of '
                'which has to be decoded; save the image again if it can be trusted, or remove the '
                'file'
            )


def check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    """Raises ``ImageReadError`` for too large a width and height."""
    padded = max(size[0], SMALLEST_SIDE), max(size[1], SMALLEST_SIDE)  # what the network sees
    if padded[0] * padded[1] > max_pixels:
        more = f', padded to {padded[0]} x {padded[1]}' if padded != tuple(size) else ''
        raise ImageReadError(too_large(name, f'{size[0]} x {size[1]}{more}', max_pixels))


def too_large(name: str, got: str, max_pixels: int) -> str:
    """The reason to refuse an image of so many pixels."""
    higher = f'raise the limit if you trust the file (to {MAX_PIXELS:,} at most), or '
    return (
        f'{name}: expected at most {max_pixels:,} pixels, got {got}; '
        f'{higher if max_pixels < MAX_PIXELS else ""}cut it at multiples of 8 pixels'
    )


def bomb_text(name: str, error: Exception, max_pixels: int) -> str:
    """The reason to refuse an image that is beyond Pillow's own limit, as its error says."""
    pixels = re.search(r'\d{9,}', str(error))  # the first number is that of the file
    return too_large(name, f'{int(pixels[0]):,}' if pixels else 'more', max_pixels)
