"""JPEG bytes <-> pixels, luma DCT coefficients and quantisation table.

Knows nothing of torch or OpenMMLab. Letters: ``H W`` image height and width in pixels.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

BACKENDS = ('jpeglib', 'jpegio')
LONGEST_SIDE = 65_500
_backend_in_use: str | None = None


class ImageReadError(ValueError):
    """An image or mask file that cannot be used; the message names the file and the remedy."""


class Luma(NamedTuple):
    """The luma plane of a JPEG, as stored.

    Attributes:
        coefficients: Quantised DCT coefficients, each 8x8 block in the place of its pixels;
            ``int16``, (ceil(H/8)*8, ceil(W/8)*8).
        table: Quantisation steps, row = vertical frequency; ``uint16``, (8, 8).
    """

    coefficients: np.ndarray
    table: np.ndarray


def decode(data: bytes, name: str = 'image') -> np.ndarray:
    """Decode an image file of any common format to RGB, ignoring EXIF orientation.

    Grey, palette, alpha (dropped), CMYK and 16-bit images (high byte kept) all become RGB;
    pixels of floats or of 32 bits are refused, because nothing says what their white is.

    Args:
        data: The whole file.
        name: What an error message calls it, usually the path.

    Returns:
        ``uint8`` (H, W, 3).

    Raises:
        ImageReadError: The bytes are no image, are truncated or exceed Pillow's pixel limit.
    """
    try:
        with Image.open(BytesIO(data)) as image:
            if image.mode.startswith(('I', 'F')):
                return _sixteen_bit_to_rgb(image)
            return np.array(image.convert('RGB'))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        unknown = isinstance(error, UnidentifiedImageError)
        raise ImageReadError(
            f'{name}: expected a whole image file (JPEG, PNG, TIFF, WebP, BMP or GIF), got '
            f'{len(data)} bytes that cannot be decoded '
            f'({"no known image format" if unknown else error}); replace or remove the file'
        ) from error


def _sixteen_bit_to_rgb(image: Image.Image) -> np.ndarray:
    values = np.asarray(image)
    if image.mode == 'F' or (image.mode == 'I' and image.format != 'PNG'):
        raise ValueError(f'its pixels are of {values.dtype}, not of 8 or 16 bits')
    return np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=2)


def encode(
    rgb: np.ndarray, quality: int, subsampling: str = '4:4:4', name: str = 'image'
) -> bytes:
    """Save RGB (or grey) pixels as a baseline JPEG in memory.

    Args:
        rgb: ``uint8`` (H, W, 3) or (H, W).
        quality: libjpeg quality, 1 to 100.
        subsampling: Chroma layout: ``'4:4:4'``, ``'4:2:2'`` or ``'4:2:0'``.
        name: What an error message calls the image, usually its path.

    Raises:
        ImageReadError: A side is longer than a JPEG can be.
    """
    if max(rgb.shape[:2]) > LONGEST_SIDE:
        raise ImageReadError(
            f'{name}: expected sides of at most {LONGEST_SIDE} px, the limit of JPEG, got '
            f'{rgb.shape[1]} x {rgb.shape[0]}; shrink or tile the image'
        )
    buffer = BytesIO()
    Image.fromarray(rgb).save(buffer, 'JPEG', quality=int(quality), subsampling=subsampling)
    return buffer.getvalue()


def has_luma(data: bytes) -> bool:
    """Whether ``data`` is a JPEG whose first component is luma (grey or YCbCr).

    PNGs have no coefficients at all; the first component of RGB, CMYK and YCCK files is not the
    luma of the image. The colour space is told apart as libjpeg does.
    """
    with Image.open(BytesIO(data)) as image:
        if image.format not in ('JPEG', 'MPO') or image.mode not in ('L', 'RGB'):
            return False
        if image.mode == 'L' or 'jfif' in image.info:
            return True
        if 'adobe_transform' in image.info:
            return image.info['adobe_transform'] != 0
        return bytes(layer[0] for layer in image.layer) != b'RGB'  # type: ignore[attr-defined]


def read_luma(data: bytes, backend: str = 'jpeglib', name: str = 'image') -> Luma:
    """Read the quantised luma coefficients of a JPEG without decoding it.

    Args:
        data: A JPEG for which :func:`has_luma` holds.
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
    read = _jpeglib_reader() if backend == 'jpeglib' else _jpegio_reader()
    _backend_in_use = backend
    with _as_path(data) as path:
        try:
            return read(path)
        except OSError as error:
            raise ImageReadError(
                f'{name}: {backend} cannot read this JPEG ({error}); save the image again'
            ) from error


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


def _jpeglib_reader() -> Callable[[str], Luma]:
    import jpeglib

    def read(path: str) -> Luma:
        jpeg = jpeglib.read_dct(path)
        blocks = jpeg.Y
        rows, columns = blocks.shape[:2]
        coefficients = blocks.transpose(0, 2, 1, 3).reshape(rows * 8, columns * 8)
        return Luma(coefficients, np.asarray(jpeg.get_component_qt(0), dtype=np.uint16))

    return read


def _jpegio_reader() -> Callable[[str], Luma]:
    try:
        import jpegio
    except (ImportError, ValueError) as error:  # ValueError: built for another NumPy
        raise ImportError(
            f"backend='jpegio' needs a working jpegio, got {error}; `pip install mmomni[jpegio]`, "
            "for its own wheels with Python 3.10 and 'numpy<2', or use backend='jpeglib'"
        ) from error

    def read(path: str) -> Luma:
        jpeg = jpegio.read(path)
        table = jpeg.quant_tables[jpeg.comp_info[0].quant_tbl_no]
        return Luma(jpeg.coef_arrays[0].astype(np.int16), table.astype(np.uint16))

    return read
