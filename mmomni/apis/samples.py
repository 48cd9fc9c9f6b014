"""How an input becomes the planes that the network sees, or the reason why it cannot."""

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmomni.jpeg import ImageReadError, open_image
from mmomni.jpeg.arrays import bgr_of
from mmomni.jpeg.codec import DECODER_ERRORS, decode_with_notes, not_opened, refusal_of
from mmomni.jpeg.damage.integrity import BROKEN_EXIF, BROKEN_METADATA, examined
from mmomni.jpeg.guarded import check_image, read_image_file
from mmomni.jpeg.limits import MAX_PIXELS, SMALLEST_SIDE, check_size
from mmomni.jpeg.luma import NO_LUMA
from mmomni.jpeg.opening import PASSED_OVER
from mmomni.jpeg.orientation import UPRIGHT, readable_orientation_of
from mmomni.jpeg.planes import MAX_STEP, five_planes, luma_of_image, magnitude, steps
from mmomni.jpeg.tiff.pixels import LAYOUT
from mmomni.utils.files import url_in
from mmomni.utils.quiet import note_of_words, without_words_of_decoders

from .inputs import Source
from .pictures import content_of
from .pillow_images import DECODED, as_png
from .results import Failure
from .transparency import note_on_transparency

FORMATS = frozenset((
    'JPEG', 'MPO', 'PNG', 'TIFF', 'WEBP', 'BMP', 'DIB', 'GIF', 'PPM', 'AVIF', 'JPEG2000', 'HEIF',
))  # fmt: skip
"""Pillow's names. It knows more, of which one (EPS) is a program that it would run."""
FIRST_OF_SEVERAL = 'only the first of several pictures in this file was looked at'


class Sample(NamedTuple):
    """An image on its way to the network.

    Attributes:
        source: See :class:`~mmomni.apis.Prediction`; ``dct_source`` and ``orientation`` too.
        image: RGB, ``uint8`` (H, W, 3).
        planes: Of :func:`~mmomni.jpeg.planes.five_planes`, ``uint8`` (5, H, W).
        warnings: What a person should know before trusting the result.
        flaws: Those of them that tell what is odd or broken in the file.
        damage: Those of them that tell of pixels that are not the ones that were saved.
        seconds: Spent on reading.
    """

    source: str
    image: np.ndarray
    planes: np.ndarray
    dct_source: str
    orientation: int
    warnings: tuple[str, ...]
    flaws: tuple[str, ...]
    damage: tuple[str, ...]
    seconds: float


class Loaded(NamedTuple):
    """An image as it is stored.

    Attributes:
        image: BGR, ``uint8`` (H, W, 3).
        data: Its file; empty for an array.
        orientation: EXIF, 1 to 8.
        notes: Warnings for a person.
        found: Those of them that decoding made, on what is wrong with the file.
        damage: See :class:`Sample`.
    """

    image: np.ndarray
    data: bytes
    orientation: int
    notes: list[str]
    found: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()


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
    loaded = load(source, max_pixels)
    with without_words_of_decoders() as words:
        luma, obstacle = luma_of_image(
            loaded.image, loaded.data, source.name, transcode_unreadable=True
        )
    flaws = (*loaded.notes, *note_of_words(words, loaded.found))
    height, width = loaded.image.shape[:2]
    dct, table = magnitude(luma.coefficients[:height, :width]), steps(luma.table)
    return Sample(
        source=source.name,
        image=loaded.image[..., ::-1],
        planes=five_planes(loaded.image, dct, table),
        dct_source='transcoded' if obstacle else 'file',
        orientation=loaded.orientation,
        warnings=(*flaws, *_notes(obstacle, int(table.max()), min(height, width))),
        flaws=flaws,
        damage=loaded.damage,
        seconds=time.perf_counter() - start,
    )


def _notes(obstacle: str, step: int, side: int) -> Iterator[str]:
    """What is to be said of coefficients, of the largest step and of the shorter side."""
    if obstacle == NO_LUMA:
        yield 'no ordinary JPEG: how it was compressed is not examined, only what the pixels show'
    elif obstacle:
        yield f'{obstacle}: there is no readable compression history, only what the pixels show'
    if step > MAX_STEP:
        told = f'the network reads all above {MAX_STEP} as {MAX_STEP}'
        yield f'quantisation steps up to {step}: {told}'
    if side < SMALLEST_SIDE:
        yield f'less than {SMALLEST_SIDE} px wide or high: most of what the network sees is padding'


def load(source: Source, max_pixels: int = MAX_PIXELS) -> Loaded:
    """Read an image the way :class:`mmomni.LoadOriginalImage` does, and what people ask of it.

    Arrays are BGR (or grey) ``uint8``, as OpenCV and the host have them. More than ``max_pixels``
    are refused before anything is decoded. A damaged file, as a JPEG that was cut, of which
    something can be decoded is examined with a note, while training and `check-data` leave it out.

    Raises:
        ImageReadError: It cannot be used.
    """
    content = source.content
    if isinstance(content, np.ndarray):
        image = _checked_array(content, source.name, max_pixels)
        return Loaded(image, b'', UPRIGHT, [])
    if isinstance(content, Image.Image):
        decoded = load(Source(source.name, as_png(content, source.name)), max_pixels)
        return decoded._replace(notes=[DECODED, *decoded.notes])
    content, notes_of_file = content_of(content, source.picture, source.name, max_pixels)
    data = _read(content, source.name, max_pixels)
    orientation, notes = _look_at_header(data, source.name)
    data, flaws = examined(data)
    with without_words_of_decoders() as words:
        image, assumed = decode_with_notes(data, source.name, 'bgr')
    found = (*(flaw.text for flaw in flaws), *note_of_words(words, flaws))
    notes = [*notes_of_file, *notes, *found, *assumed, *note_on_transparency(data, image)]
    damage = tuple(flaw.text for flaw in flaws if flaw.falsifies)
    return Loaded(image, data, orientation, notes, found, damage)


def _read(content: Path | bytes, name: str, max_pixels: int) -> bytes:
    """The bytes of a file; refuses what must not be decoded."""
    if isinstance(content, bytes):
        check_image(content, name, max_pixels)
        return content
    try:
        return read_image_file(content, name, max_pixels)
    except FileNotFoundError as error:
        none = 'URLs are not fetched; download it first' if url_in(content) else 'there is none'
        raise ImageReadError(f'{name}: expected an image file, {none}') from error


def _look_at_header(data: bytes, name: str) -> tuple[int, list[str]]:
    """Orientation and notes; refuses what is no image."""
    try:
        with open_image(data) as image:
            if image.format not in FORMATS:
                raise ImageReadError(f'{name}: {not_opened(data, image.format or "")}')
            return _notes_of_header(image)
    except ImageReadError:
        raise
    except DECODER_ERRORS as error:
        raise refusal_of(data, name, error) from error


def _notes_of_header(image: Image.Image) -> tuple[int, list[str]]:
    notes, orientation = [], readable_orientation_of(image)
    # Pictures are not counted: that could take longer than all the rest.
    if getattr(image, 'is_animated', False) and image.format != 'MPO':
        notes.append(FIRST_OF_SEVERAL)
    if LAYOUT in image.info:
        notes += image.info[LAYOUT].notes
    if image.info.get(PASSED_OVER):
        notes.append(BROKEN_METADATA)
    if orientation is None:
        notes.append(BROKEN_EXIF)
    return orientation or UPRIGHT, notes


def _checked_array(array: np.ndarray, name: str, max_pixels: int) -> np.ndarray:
    image = bgr_of(array, name)
    check_size((array.shape[1], array.shape[0]), name, max_pixels)
    return image
