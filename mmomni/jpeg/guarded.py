"""The one reader of image files: regular files only, whose cost is known before it is paid."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from mmomni.utils.regular_files import NotRegularError, open_regular

from .codec import ImageReadError
from .limits import MAX_PIXELS, bomb_text, check_bytes, check_scans, check_size, most_bytes
from .opening import open_image
from .plugins import FORMAT_NAMES
from .tiff.pixels import LAYOUT

PROGRAMS = ('EPS',)
"""Pillow's names of formats that it would have run by another program."""
LARGEST_UNKNOWN = 2**28
"""So many bytes of a file that Pillow does not know are read: who decodes it may know it."""


def read_image_file(
    path: str | Path, name: str | None = None, max_pixels: int = MAX_PIXELS
) -> bytes:
    """All bytes of an image file, which then can be decoded in bearable time and memory.

    Whether they can be decoded at all, who decodes them says.

    Args:
        path: Of a regular file, or a link to one. Anything else is not opened.
        name: What an error message calls it; default: the path.
        max_pixels: See :func:`~mmomni.jpeg.limits.check_size`, with the other limits.

    Raises:
        ImageReadError: It is no regular file, or beyond a limit.
        OSError: It cannot be opened.
    """
    name = str(path) if name is None else name
    with _opened(path, name, max_pixels) as file:
        size = os.fstat(file.fileno()).st_size
        # A header is looked at in front of all else where that saves memory.
        if size > LARGEST_UNKNOWN and not _is_known(_same_file(file, path), name, max_pixels):
            raise ImageReadError(
                f'{name}: expected an image, got {size:,} bytes of no known format; replace or '
                'remove the file'
            )
        data = file.read(most_bytes(max_pixels) + 1)
    check_image(data, name, max_pixels)  # of bytes, too: it may have grown
    return data


def check_image(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> None:
    """Raises ``ImageReadError`` where :func:`read_image_file` would, of bytes from elsewhere."""
    check_bytes(len(data), name, max_pixels)
    _is_known(data, name, max_pixels)
    check_scans(data, name)


@contextmanager
def opened_image_file(path: str | Path, name: str) -> Iterator[Image.Image]:
    """An image file opened by Pillow, of which the header alone is read.

    Error messages call it by the ``name``.

    Raises:
        ImageReadError: It is no image or no regular file, or beyond a limit, but for scans.
        OSError: It cannot be opened.
    """
    with _opened(path, name, MAX_PIXELS) as file:
        same = _same_file(file, path)
        if not _is_known(same, name, MAX_PIXELS):
            raise ImageReadError(f'{name}: expected an image, its header cannot be read')
        with open_image(same) as image:
            yield image


@contextmanager
def _opened(path: str | Path, name: str, max_pixels: int) -> Iterator[BinaryIO]:
    try:
        file = open_regular(path)
    except NotRegularError as error:
        raise ImageReadError(
            f'{name}: expected an image file, got a {error.kind}; remove it'
        ) from None
    with file:
        check_bytes(os.fstat(file.fileno()).st_size, name, max_pixels)
        yield file


def _same_file(file: BinaryIO, path: str | Path) -> Path:
    """A path of what is open, which nobody can put something else at."""
    opened = Path(f'/proc/self/fd/{file.fileno()}')
    return opened if opened.exists() else Path(path)


def _is_known(file: bytes | Path, name: str, max_pixels: int) -> bool:
    """Whether Pillow can open an image; the limits are checked if so.

    Raises ``ImageReadError`` where its header says that it is too large.
    """
    try:
        with open_image(file) as image:
            size, is_program = image.size, image.format in PROGRAMS
            layout = image.info.get(LAYOUT)
            unpacked = 0 if layout is None else layout.unpacked_bytes
    except Image.DecompressionBombError as error:
        raise ImageReadError(bomb_text(name, error, max_pixels)) from error
    except Exception:  # noqa: BLE001  (who decodes it says what is wrong with it)
        return False
    if is_program:
        raise ImageReadError(
            f'{name}: expected an image ({FORMAT_NAMES}), got PostScript, a program, which is not '
            'run; remove the file'
        )
    check_size(size, name, max_pixels)
    check_bytes(unpacked, name, max_pixels, 'bytes of unpacked strips or tiles')
    return True
