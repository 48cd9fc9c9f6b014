"""How an input becomes the planes that the network sees, or the reason why it cannot."""

import os
import re
import stat
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from mmomni.datasets.transforms import ExtractDCT, PackManipulationInputs
from mmomni.datasets.transforms.pixels import sign
from mmomni.jpeg import ImageReadError, decode, open_image
from mmomni.jpeg.codec import undecodable
from mmomni.jpeg.integrity import BROKEN_EXIF, BROKEN_METADATA, examined
from mmomni.jpeg.kinds import unusual_kind
from mmomni.jpeg.luma import NO_LUMA
from mmomni.jpeg.opening import PASSED_OVER
from mmomni.jpeg.orientation import UPRIGHT, readable_orientation_of
from mmomni.models.values import MAX_STEP

from .inputs import Source
from .results import Failure

MAX_PIXELS = 178_956_970
"""Pillow's own limit (89 megapixels, twice), beyond which it refuses to open an image."""
FORMATS = frozenset((
    'JPEG', 'MPO', 'PNG', 'TIFF', 'WEBP', 'BMP', 'DIB', 'GIF', 'PPM', 'AVIF', 'JPEG2000',
))  # fmt: skip
"""Pillow's names. It knows more, of which one (EPS) is a program that it would run."""
MOST_SCANS = 500
"""So many scans of a JPEG are read; progressive ones have about ten. A megabyte could hold
65,000, minutes of work."""
SCAN_HEADER = re.compile(rb'\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)')
"""A scan's marker, length and number of components, which decide whether a decoder goes on."""
SMALLEST_SIDE = 32
BYTES_A_PIXEL = 8  # four channels of 16 bits, not compressed


class Sample(NamedTuple):
    """An image on its way to the network.

    Attributes:
        source: See :class:`~mmomni.apis.Prediction`; ``dct_source`` and ``orientation`` too.
        image: RGB, ``uint8`` (H, W, 3).
        planes: Of :class:`~mmomni.datasets.transforms.PackManipulationInputs`, (5, H, W).
        warnings: What a person should know before trusting the result.
        seconds: Spent on reading.
    """

    source: str
    image: np.ndarray
    planes: Tensor
    dct_source: str
    orientation: int
    warnings: tuple[str, ...]
    seconds: float


class Samples(Dataset):
    """Sources that a loader reads on demand, in this process or in its own."""

    def __init__(
        self, sources: Sequence[Source], read: Callable[[Source], Sample | Failure]
    ) -> None:
        self.sources = sources
        self.read = read

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> Sample | Failure:
        return self.read(self.sources[index])


def try_to_read(source: Source, max_pixels: int) -> Sample | Failure:
    """:func:`read_sample`; no file ends the run."""
    try:
        with warnings.catch_warnings():
            # Our limit, which the caller knows of, stands in for Pillow's warning.
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            return read_sample(source, max_pixels)
    except ImageReadError as error:
        return Failure(source.name, str(error).removeprefix(f'{source.name}: '))
    except Exception as error:  # noqa: BLE001  (decoders raise whatever a broken file makes them)
        return Failure(
            source.name,
            f'expected a whole image file, reading it ended with {type(error).__name__}: {error}; '
            'replace or remove the file',
        )


def read_sample(source: Source, max_pixels: int) -> Sample:
    """Read an image at full size with its own JPEG coefficients.

    Raises:
        ImageReadError: It cannot be used.
    """
    start = time.perf_counter()
    results = load(source, max_pixels)
    sign(results)
    results = ExtractDCT(transcode_unreadable=True).transform(results)
    planes = PackManipulationInputs(meta_keys=()).transform(results)['inputs']
    return Sample(
        source=source.name,
        image=results['img'][..., ::-1],
        planes=planes,
        dct_source=results['dct_source'],
        orientation=results['orientation'],
        warnings=tuple(results['notes'] + _notes(results)),
        seconds=time.perf_counter() - start,
    )


def _notes(results: dict[str, Any]) -> list[str]:
    notes = []
    if results['dct_source'] == 'transcoded':
        obstacle = results['dct_obstacle']
        none = 'there is no' if obstacle == NO_LUMA else 'there is no readable'
        notes.append(f'{obstacle}: {none} compression history, only what the pixels show')
    step = int(results['qtable'].max())
    if step > MAX_STEP:
        notes.append(
            f'quantisation steps up to {step}: the network reads all above {MAX_STEP} as {MAX_STEP}'
        )
    if min(results['img'].shape[:2]) < SMALLEST_SIDE:
        notes.append(
            f'less than {SMALLEST_SIDE} px wide or high: most of what the network sees is padding'
        )
    return notes


def load(source: Source, max_pixels: int = MAX_PIXELS) -> dict[str, Any]:
    """Read an image the way :class:`mmomni.LoadOriginalImage` does, and what people ask of it.

    Arrays are BGR (or grey) ``uint8``, as OpenCV and the host have them. More than ``max_pixels``
    are refused before anything is decoded. A damaged JPEG that can be decoded is examined with a
    note, while training and `check-data` leave it out.

    Returns:
        ``img`` (BGR), ``img_bytes`` (empty for an array), ``img_path``, ``orientation`` (EXIF,
        1 to 8) and ``notes``, warnings for a person.

    Raises:
        ImageReadError: It cannot be used.
    """
    common = dict(img_path=source.name, dct_source='file')
    content = source.content
    if isinstance(content, np.ndarray):
        image = _checked_array(content, source.name, max_pixels)
        return dict(common, img=image, img_bytes=b'', orientation=1, notes=[])
    orientation, notes = _look_at_header(content, source.name, max_pixels)
    data = content if isinstance(content, bytes) else content.read_bytes()
    _check_scans(data, source.name)
    data, flaws = examined(data)
    image = decode(data, source.name, 'bgr', needs_end=False)
    return dict(common, img=image, img_bytes=data, orientation=orientation, notes=notes + flaws)


def _look_at_header(content: Path | bytes, name: str, max_pixels: int) -> tuple[int, list[str]]:
    """Orientation and notes; refuses what must not be read."""
    try:
        if isinstance(content, Path):
            _check_file(content.stat(), name, max_pixels)
        with open_image(content) as image:
            _check_size(image.size, name, max_pixels)
            if image.format not in FORMATS:
                raise Image.UnidentifiedImageError(image.format)
            return _notes_of_header(image)
    except Image.DecompressionBombError as error:
        pixels = re.search(r'\d{9,}', str(error))  # the first number is that of the file
        got = f'{int(pixels[0]):,}' if pixels else 'more'
        raise ImageReadError(_too_large(name, got, max_pixels)) from error
    except FileNotFoundError as error:
        raise ImageReadError(
            f'{name}: expected an image file, there is none; remove it from the list'
        ) from error
    except Image.UnidentifiedImageError as error:
        kind = unusual_kind(content if isinstance(content, bytes) else content.read_bytes())
        if kind:
            raise ImageReadError(f'{name}: {undecodable(kind)}') from error
        raise ImageReadError(
            f'{name}: expected an image (JPEG, PNG, TIFF, WebP, BMP, GIF), its first bytes are '
            'those of no such format; replace or remove the file'
        ) from error


def _notes_of_header(image: Image.Image) -> tuple[int, list[str]]:
    notes, orientation = [], readable_orientation_of(image)
    # Pictures are not counted: that could take longer than all the rest.
    if getattr(image, 'is_animated', False) and image.format != 'MPO':
        notes.append('only the first of several pictures in this file was looked at')
    if image.info.get(PASSED_OVER):
        notes.append(BROKEN_METADATA)
    if orientation is None:
        notes.append(BROKEN_EXIF)
    return orientation or UPRIGHT, notes


def _check_file(status: os.stat_result, name: str, max_pixels: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ImageReadError(
            f'{name}: expected an image file, got a folder, pipe or device; remove it'
        )
    largest = BYTES_A_PIXEL * max_pixels + 2**26
    if status.st_size > largest:
        raise ImageReadError(
            f'{name}: expected at most {largest:,} bytes, more than {max_pixels:,} pixels can '
            f'take, got {status.st_size:,}; remove what is not the image'
        )


def _checked_array(array: np.ndarray, name: str, max_pixels: int) -> np.ndarray:
    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[2] == 3
    if array.dtype != np.uint8 or not (grey or colour) or not array.size:
        raise ImageReadError(
            f'{name}: expected uint8 (H, W, 3) in BGR, or (H, W), got {array.dtype} {array.shape}'
        )
    _check_size((array.shape[1], array.shape[0]), name, max_pixels)
    return np.repeat(array[..., None], 3, axis=2) if grey else array


def _check_scans(data: bytes, name: str) -> None:
    if data.count(b'\xff\xda') <= MOST_SCANS:  # ten times faster than the rest
        return
    scans = len(SCAN_HEADER.findall(data))
    if scans > MOST_SCANS:
        raise ImageReadError(
            f'{name}: expected at most {MOST_SCANS} scans in a JPEG, got {scans:,}, each of which '
            'has to be decoded; save the image again if it can be trusted, or remove the file'
        )


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    padded = max(size[0], SMALLEST_SIDE), max(size[1], SMALLEST_SIDE)  # what the network sees
    if padded[0] * padded[1] > max_pixels:
        more = f', padded to {padded[0]} x {padded[1]}' if padded != tuple(size) else ''
        raise ImageReadError(_too_large(name, f'{size[0]} x {size[1]}{more}', max_pixels))


def _too_large(name: str, got: str, max_pixels: int) -> str:
    higher = f'raise the limit if you trust the file (to {MAX_PIXELS:,} at most), or '
    return (
        f'{name}: expected at most {max_pixels:,} pixels, got {got}; '
        f'{higher if max_pixels < MAX_PIXELS else ""}cut it at multiples of 8 pixels'
    )
