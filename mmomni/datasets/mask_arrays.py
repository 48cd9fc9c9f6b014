"""Masks that are no images but arrays: ``.npy`` of NumPy and ``.mat`` of MATLAB."""

import io
import math
import warnings
from typing import Any

import numpy as np

from mmomni.jpeg import ImageReadError

from .mask_rules import HIGHEST

SUFFIXES = ('.npy', '.mat')
_NUMPY, _MATLAB = b'\x93NUMPY', b'MATLAB '
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def is_array(data: bytes, name: str) -> bool:
    """Whether a file holds an array, by its first bytes; old ``.mat`` files have no mark."""
    return data.startswith((_NUMPY, _MATLAB)) or name.lower().endswith(SUFFIXES)


def read_values(data: bytes, name: str) -> tuple[np.ndarray, bool]:
    """The values of an array file as an image has them.

    Args:
        data: The whole file.
        name: What an error message calls it, usually the path.

    Returns:
        ``uint8`` or ``uint16`` (H, W), and whether they are shares of 255: floats from 0 to 1 with
        others between. All other values are as stored.

    Raises:
        ImageReadError: It is no array, not one alone, not of two dimensions, or has values that
            are no whole numbers from 0 to 65535.
        ImportError: It is of MATLAB, and SciPy is not installed.
    """
    numpy = data.startswith(_NUMPY) or name.lower().endswith('.npy')
    values = np.asarray(_read_npy(data, name) if numpy else _read_mat(data, name))
    values = _in_two_dimensions(values, name)
    if values.dtype.kind == 'f':
        return _of_floats(values, name)
    if values.dtype.kind not in 'bui':
        raise ImageReadError(
            f'{name}: expected numbers or booleans, got {values.dtype}; save 0 and 1 as uint8'
        )
    return _whole(values, name), False


def _in_two_dimensions(values: np.ndarray, name: str) -> np.ndarray:
    """Height and width, without a channel that is the only one."""
    shape = values.shape
    if values.ndim == 3 and 1 in (shape[0], shape[2]):
        values = values[..., 0] if shape[2] == 1 else values[0]
    if values.ndim != 2 or not values.size:
        raise ImageReadError(
            f'{name}: expected an array of (height, width), got {shape}; save the mask alone'
        )
    return values


def _of_floats(values: np.ndarray, name: str) -> tuple[np.ndarray, bool]:
    if not np.isfinite(values).all():
        raise ImageReadError(f'{name}: has values that are no numbers (NaN or infinite)')
    if (values == np.floor(values)).all():
        return _whole(values, name), False
    if values.min() < 0 or values.max() > 1:
        raise ImageReadError(
            f'{name}: expected floats from 0 to 1, or whole numbers, got '
            f'{values.min():g} to {values.max():g}; save 0 and 1 as uint8'
        )
    return np.rint(values * 255).astype(np.uint8), True


def _whole(values: np.ndarray, name: str) -> np.ndarray:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > HIGHEST:
        raise ImageReadError(
            f'{name}: expected values from 0 to {HIGHEST}, got {low} to {high}; nothing says what '
            'others mean: save 0 and 1 as uint8'
        )
    return values.astype(np.uint8 if high <= 255 else np.uint16)


def _read_npy(data: bytes, name: str) -> np.ndarray:
    """Never unpickles, and reserves no more memory than the file has bytes."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f'version {version} of the format')
        shape, by_columns, dtype = _HEADERS[version](stream)
    except Exception as error:
        raise ImageReadError(
            f'{name}: expected a .npy file of NumPy, got {len(data)} bytes whose header cannot be '
            f'read ({error}); save it again with numpy.save'
        ) from error
    if dtype.hasobject:
        raise ImageReadError(
            f'{name}: holds Python objects, which are not loaded because they may run programs; '
            'save 0 and 1 as uint8'
        )
    expected, found = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if expected != found:
        raise ImageReadError(
            f'{name}: expected {expected} bytes of {shape} {dtype}, got {found}: the file was cut '
            'or changed; copy it again'
        )
    values = np.frombuffer(data, dtype, offset=stream.tell())
    return values.reshape(shape, order='F' if by_columns else 'C')


def _read_mat(data: bytes, name: str) -> np.ndarray:
    """The only array of at least two rows and columns."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError(
            f'{name}: reading .mat files needs SciPy: pip install scipy, or save the mask as PNG'
        ) from error
    if data[124:128] in (b'\x00\x02IM', b'\x02\x00MI') or data.startswith(b'MATLAB 7.3'):
        raise ImageReadError(
            f'{name}: is a .mat file of version 7.3 (HDF5), which is not read; in MATLAB: '
            "save(file, 'mask', '-v7'), or imwrite the mask as PNG"
        )
    variables: dict[str, Any]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            variables = loadmat(io.BytesIO(data))
    except Exception as error:  # (a broken file makes its reader raise anything)
        raise ImageReadError(
            f'{name}: expected a .mat file of MATLAB, got {len(data)} bytes that cannot be read '
            f'({type(error).__name__}: {error}); save it again'
        ) from error
    arrays = {
        key: value for key, value in variables.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in 'buif' and value.ndim == 2
        and min(value.shape) > 1
    }  # fmt: skip
    if len(arrays) != 1:
        named = [key for key in variables if not key.startswith('__')]
        raise ImageReadError(
            f'{name}: expected one variable of (height, width), the mask, got {len(arrays)} among '
            f'{named}; save the mask alone'
        )
    return next(iter(arrays.values()))
