"""Luma DCT coefficients and quantisation table of a JPEG, as the file holds them."""

import ctypes
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .codec import ImageReadError
from .kinds import has_coarse_luma, has_coefficients, unusual_kind
from .stream import ADOBE, JFIF, START, BareStream, bare_stream, luma_table
from .tiff.directories import is_tiff
from .tiff.jpegs import BLOCK, is_jpeg_inside, obstacle_to_parts, parts_of
from .tiff.pixels import layout_in

BACKENDS = ('jpeglib', 'jpegio')
NO_LUMA = 'no JPEG with luma'
MAX_COEFFICIENT = 20
"""Networks see ``|q|`` clipped here, as in DTD and CAT-Net: larger values are rare."""
_backend_in_use: str | None = None


class Luma(NamedTuple):
    """The luma plane of a JPEG, as stored.

    Attributes:
        coefficients: Quantised DCT coefficients, each 8x8 block in the place of its pixels;
            ``int16``, (ceil(H/8)*8, ceil(W/8)*8).
        table: Quantisation steps, row = vertical frequency; ``uint16``, (8, 8). Those in force
            where luma's first scan begins, whatever its slot holds later.
    """

    coefficients: np.ndarray
    table: np.ndarray


def has_luma(data: bytes) -> bool:
    """Whether ``data`` has coefficients of luma (of grey or YCbCr) at full resolution.

    JPEGs do, and TIFFs made of JPEGs, in strips or tiles of whole blocks and of one table.

    PNGs and lossless JPEGs have no coefficients at all; the first component of RGB, CMYK and YCCK
    files is not the luma of the image. The colour space is told apart as libjpeg does.
    """
    return not obstacle_to_luma(data)


def obstacle_to_luma(data: bytes) -> str:
    """Why :func:`has_luma` does not hold, as :data:`NO_LUMA`; empty where it does."""
    if is_tiff(data):
        return _obstacle_in_tiff(data)
    if not data.startswith(START):
        return NO_LUMA
    try:
        stream = bare_stream(data)
    except ValueError:  # read_luma() says what is wrong with it
        return ''
    if len(stream.frame) < 9:
        return NO_LUMA
    if not has_coefficients(stream) or has_coarse_luma(stream):
        return unusual_kind(data)
    return '' if _starts_with_luma(stream) else NO_LUMA


def _obstacle_in_tiff(data: bytes) -> str:
    try:
        layout = layout_in(data)
        if not is_jpeg_inside(layout):
            return NO_LUMA
        streams = [] if (obstacle := obstacle_to_parts(layout)) else [
            part.stream for part in parts_of(layout)
        ]  # fmt: skip
        obstacle = next(filter(None, map(obstacle_to_luma, streams)), obstacle)
        if not obstacle and len({luma_table(stream).tobytes() for stream in streams}) > 1:
            obstacle = 'JPEG in a TIFF in parts of different quantisation tables'
    except (ValueError, IndexError) as error:  # segments may be cut anywhere
        return f'JPEG in a TIFF that cannot be taken apart ({error})'
    return obstacle


def _starts_with_luma(stream: BareStream) -> bool:
    components = stream.frame[5]
    if components != 3 or JFIF in stream.colour:
        return components in (1, 3)
    if ADOBE in stream.colour:
        return stream.colour[ADOBE][11] != 0
    return stream.frame[6::3] != b'RGB'


def read_luma(data: bytes, backend: str = 'jpeglib', name: str = 'image') -> Luma:
    """Read the quantised luma coefficients of a JPEG without decoding it.

    Args:
        data: A JPEG for which :func:`has_luma` holds, or a TIFF of such.
        backend: ``'jpeglib'``, or ``'jpegio'`` where that package is installed. Their native
            parts cannot live in one process, so the first one used stays.
        name: What an error message calls the file, usually its path.

    Raises:
        ImageReadError: The reader rejects the bytes.
        RuntimeError: Another backend was used before in this process.
    """
    if backend not in BACKENDS:
        raise ValueError(f'backend must be one of {BACKENDS}, got {backend!r}')
    global _backend_in_use  # noqa: PLW0603  (the crash is one of the process, too)
    if _backend_in_use not in (None, backend):
        raise RuntimeError(
            f'this process already reads JPEGs with {_backend_in_use}; {backend} beside it would '
            'crash. Use one backend for all datasets of a run'
        )
    if is_tiff(data):
        return _luma_of_tiff(data, backend, name)
    read = _jpeglib_reader() if backend == 'jpeglib' else _jpegio_reader()
    _backend_in_use = backend
    try:
        return read(data)
    except (OSError, ValueError) as error:
        raise ImageReadError(
            f'{name}: expected a JPEG whose coefficients {backend} can read, got a damaged one '
            f'({error}); replace or remove the file'
        ) from error


def _luma_of_tiff(data: bytes, backend: str, name: str) -> Luma:
    """Of the JPEGs that its picture is made of, each in its place."""
    try:
        layout = layout_in(data)
        parts = parts_of(layout)
    except ValueError as error:
        raise ImageReadError(f'{name}: {error}') from error
    plane = np.zeros(_in_blocks(layout.size), np.int16)
    for number, (stream, top, left, size) in enumerate(parts):
        luma = read_luma(stream, backend, f'{name}, strip or tile {number}')
        rows, columns = _in_blocks(size)
        here = plane[top : top + rows, left : left + columns]
        if any(has < needs for has, needs in zip(luma.coefficients.shape, here.shape, strict=True)):
            raise ImageReadError(
                f'{name}: expected a JPEG of at least {here.shape} in strip or tile {number}, got '
                f'{luma.coefficients.shape}; save the image again'
            )
        here[:] = luma.coefficients[: here.shape[0], : here.shape[1]]
    return Luma(plane, luma.table)


def _in_blocks(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the blocks of a picture, of its width and height."""
    width, height = (-(-side // BLOCK) * BLOCK for side in size)
    return height, width


@contextmanager
def _as_path(data: bytes) -> Iterator[str]:
    """Lend ``data`` to a library that reads paths only: in memory where the system can."""
    if hasattr(os, 'memfd_create'):
        with open(os.memfd_create('jpeg'), 'wb') as file:
            file.write(data)
            file.flush()
            yield f'/proc/self/fd/{file.fileno()}'
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'image.jpg')
            with open(path, 'wb') as file:
                file.write(data)
            yield path


@lru_cache(maxsize=1)
def _libjpeg() -> ctypes.CDLL:
    """libjpeg-turbo as jpeglib builds it, beside the version that jpeglib itself uses."""
    import jpeglib

    with jpeglib.version('turbo210'):
        library = jpeglib.version._get_lib()
    path, array = ctypes.c_char_p, ctypes.c_void_p  # undeclared, an address would be cut to 32 bits
    library.read_jpeg_markers.argtypes = [path, array]
    library.read_jpeg_dct.argtypes = [path, *[array] * 6]
    return library


def _jpeglib_reader() -> Callable[[bytes], Luma]:
    """The C function of jpeglib, called directly.

    ``jpeglib.read_dct`` decodes the scans of all components twice, writes the file to disk once
    more and prints when it fails: four times the time.
    """
    library = _libjpeg()

    def read(data: bytes) -> Luma:
        stream = bare_stream(data)
        tables = np.zeros((4, 8, 8), np.uint16)  # as they are at the end: not what is looked for
        table_numbers = np.zeros(4, np.int16)
        with _as_path(stream.data) as path:
            # read_jpeg_dct must not meet a broken header: it would close a file it never opened.
            if not library.read_jpeg_markers(path.encode(), tables.ctypes.data):
                raise ValueError('broken header')
            blocks = np.empty((*stream.luma_blocks(), 8, 8), np.int16)
            arrays = (blocks.ctypes.data, None, None, None, tables.ctypes.data)
            if not library.read_jpeg_dct(path.encode(), *arrays, table_numbers.ctypes.data):
                raise ValueError('broken scan')
        # Eight coefficients as one element: ten times faster to put in place.
        rows_of_blocks = np.ascontiguousarray(blocks.view('V16')[..., 0].transpose(0, 2, 1))
        plane = rows_of_blocks.view(np.int16).reshape(-1, blocks.shape[1] * 8)
        return Luma(plane, luma_table(stream.data))

    return read


def _jpegio_reader() -> Callable[[bytes], Luma]:
    try:
        import jpegio
    except (ImportError, ValueError) as error:  # ValueError: built for another NumPy
        raise ImportError(
            f"backend='jpegio' needs a working jpegio, got {error}; `pip install mmomni[jpegio]`, "
            "for its own wheels with Python 3.10 and 'numpy<2', or use backend='jpeglib'"
        ) from error

    def read(data: bytes) -> Luma:
        with _as_path(data) as path:
            jpeg = jpegio.read(path)
        return Luma(jpeg.coef_arrays[0].astype(np.int16), luma_table(data))

    return read
