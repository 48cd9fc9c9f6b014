"""Opening a file with Pillow, whatever is wrong with its metadata."""

import os
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from mmomni.utils.file_kinds import HEAD_BYTES

from .plugins import add_plugin
from .stream import START, scan_begins_within, without_metadata
from .tiff import pixels as tiff_pixels
from .tiff.directories import is_tiff

MOST_METADATA = 2**24
"""Bytes; cameras write some ten thousand."""
PASSED_OVER = 'mmomni_passed_over'
"""Key of ``Image.info``: application data of the file that were left out, so that it opens."""


def open_image(file: bytes | Path) -> Image.Image:
    """``PIL.Image.open``, for which metadata never decide whether a JPEG is an image.

    Pillow refuses JPEGs for application data (short JFIF, Adobe, Photoshop and profile segments,
    lists of pictures) that no pixel depends on. Here these are left out, and the image says so
    in ``info[PASSED_OVER]``; what libjpeg knows of the colours stays, and EXIF if it can. HEIC is
    read by its plugin, where that is installed.

    Of a TIFF, the picture that is examined is opened, whatever directory it lies in, and without
    its pixels: :mod:`mmomni.jpeg.tiff.pixels` has them.

    Args:
        file: The bytes of a file, or its path.

    Raises:
        UnsupportedFormat: It is known which format the file has, and why it cannot be read.
        UnreadableTIFFError: A TIFF of a kind that is not decoded, which is named.
        Exception: What Pillow raises of the file as it is.
    """
    large = _bytes_if(file, lambda head: head.startswith(START), MOST_METADATA)
    if large is not None and has_too_much_metadata(large):
        image = _opened_without_metadata(large, [False])
        if image is not None:
            return image
    tiff = _bytes_if(file, is_tiff)
    if tiff is not None:
        return tiff_pixels.opened(tiff)
    try:
        return Image.open(BytesIO(file) if isinstance(file, bytes) else file)
    except Image.DecompressionBombError:
        raise
    except Exception as error:  # (broken metadata make Pillow raise anything)
        if isinstance(error, OSError) and not isinstance(error, UnidentifiedImageError):
            raise
        data = _bytes_if(file, lambda head: head.startswith(START))
        image = None if data is None else _opened_without_metadata(data)
        if image is None and data is None and add_plugin(_head(file)):
            return open_image(file)
        if image is None:
            raise
        return image


def has_too_much_metadata(data: bytes) -> bool:
    """Whether Pillow would take minutes: of EXIF in many segments it copies all for each.

    Fill bytes and empty segments in front of the first scan count, too: it reads them one by one.
    """
    is_large_jpeg = len(data) > MOST_METADATA and data.startswith(START)
    return is_large_jpeg and not scan_begins_within(data, MOST_METADATA)


def _head(file: bytes | Path) -> bytes:
    if isinstance(file, bytes):
        return file[:HEAD_BYTES]
    with file.open('rb') as stream:
        return stream.read(HEAD_BYTES)


def _bytes_if(
    file: bytes | Path, begins_so: Callable[[bytes], bool], more_than: int = 0
) -> bytes | None:
    """A whole file, if its first four bytes are the right ones, and it is not a small one."""
    if isinstance(file, bytes):
        return file if len(file) > more_than and begins_so(file[:4]) else None
    with file.open('rb') as stream:
        head = stream.read(4)
        is_meant = begins_so(head) and os.fstat(stream.fileno()).st_size > more_than
        return head + stream.read() if is_meant else None


def _opened_without_metadata(
    data: bytes, keep: Sequence[bool] = (True, False)
) -> Image.Image | None:
    for keep_exif in keep:
        try:
            image = Image.open(BytesIO(without_metadata(data, keep_exif)))
        except Image.DecompressionBombError:
            raise
        except Exception:  # noqa: BLE001  (then the metadata were not to blame)
            continue
        image.info[PASSED_OVER] = True
        return image
    return None
