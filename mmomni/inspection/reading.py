"""From the files of a sample to a record. One bad file yields a fault, never an exception."""

import hashlib
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image

from mmomni.datasets.mask_rules import GENERAL_RULE, MaskRule
from mmomni.datasets.masks import IGNORED, MaskValues, mask_values
from mmomni.datasets.stored_files import read_bytes
from mmomni.jpeg import open_image
from mmomni.jpeg.codec import ImageReadError, decode_with_notes
from mmomni.jpeg.damage.integrity import (
    BROKEN_EXIF,
    BROKEN_METADATA,
    refuse_without_end,
    whole_but_odd,
)
from mmomni.jpeg.luma import NO_LUMA, obstacle_to_luma
from mmomni.jpeg.opening import PASSED_OVER
from mmomni.jpeg.orientation import orientation_of, readable_orientation_of
from mmomni.jpeg.quality import estimate_quality
from mmomni.jpeg.tiff.pixels import LAYOUT
from mmomni.utils.file_kinds import untold_format
from mmomni.utils.files import is_image
from mmomni.utils.quiet import note_of_words, without_words_of_decoders

from .records import Fault, ImageFacts, JPEGFacts, ListedImage, MaskFacts, Record
from .similarity import appearance_of

JPEG_FORMATS = ('JPEG', 'MPO')
BITS_PER_SAMPLE_TAG = 258
EDGE_WIDTH = 2
DARK, CLEAN_SHARE = 16, 0.95
"""Of a mask saved as JPEG: nearly black or white are so many grey levels, and so many pixels."""

Facts = TypeVar('Facts', ImageFacts, MaskFacts)


def read_record(sample: ListedImage) -> Record:
    """Open, decode and measure the files of a sample."""
    image = _facts_or_fault(read_image, sample.image)
    mask = None
    if sample.mask is not None:
        mask = _facts_or_fault(partial(read_mask, rule=sample.rule), sample.mask)
    return Record(sample, image, mask)


def read_image(path: str) -> ImageFacts:
    """Raises whatever the file makes Pillow or the storage raise.

    What is not whole is refused, as in training, also a JPEG that lacks only its last two bytes,
    or whose pixels were made up in decoding.
    """
    data = read_bytes(path)
    refuse_without_end(data, path)
    with without_words_of_decoders() as words:
        pixels, assumed = decode_with_notes(data, path)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    oddities = whole_but_odd(data, path)
    oddities += tuple(note_of_words(words, oddities))
    with open_image(data) as image:
        oddities += tuple(_header_oddities(image, data))
        return ImageFacts(
            width=grey.shape[1],
            height=grey.shape[0],
            format=image.format or '',
            mode=image.mode,
            alpha=image.mode in ('RGBA', 'LA', 'PA', 'La', 'RGBa') or 'transparency' in image.info,
            bits=_bits(image, data),
            orientation=orientation_of(image),
            digest=hashlib.blake2b(data, digest_size=16).hexdigest(),
            appearance=appearance_of(grey),
            jpeg=_jpeg_facts(image),
            assumed=(*(image.info[LAYOUT].notes if LAYOUT in image.info else ()), *assumed),
            oddities=oddities,
            like_mask=_looks_like_mask(pixels, image.format in JPEG_FORMATS),
            untold=untold_format(Path(path)) if is_image(Path(path)) else '',
        )


def read_mask(path: str, rule: MaskRule = GENERAL_RULE) -> MaskFacts:
    """Raises whatever the file makes Pillow or the storage raise."""
    data = read_bytes(path)
    with without_words_of_decoders():
        values = mask_values(data, path, rule)
    tampered, labels = values.tampered(), values.labels()
    height, width = tampered.shape
    border = np.concatenate(
        (tampered[0], tampered[-1], tampered[1:-1, 0], tampered[1:-1, -1])
    )
    soft, stray = 0.0, 0.0
    if values.threshold == 0:
        counted = values.colours * (labels != IGNORED)[..., None]
        soft, stray = _soft_shares(counted if rule.ignore else values.colours)
    return MaskFacts(
        width, height, values.source == 'lossy', float(tampered.mean()), float(border.mean()),
        soft, stray, values.source, _digest_of(labels), _why_nothing(values),
    )  # fmt: skip


def _why_nothing(values: MaskValues) -> str:
    """Why not one pixel is tampered; empty where some are, or all are 0."""
    peak = int(values.colours.max())
    if peak == 0 or values.tampered().any():
        return ''
    if values.threshold == 0:
        return 'all that is not 0 is of values that do not count (mask_ignore)'
    if values.source == 'array':
        return f'no share reaches one half, the highest is {peak / 255:.3f}'
    return f'no pixel is above {values.threshold}, the highest is {peak}'


def _digest_of(labels: np.ndarray) -> str:
    digest = hashlib.blake2b(repr(labels.shape).encode(), digest_size=16)
    digest.update(labels.tobytes())
    return digest.hexdigest()


def _looks_like_mask(rgb: np.ndarray, jpeg: bool) -> bool:
    """Of black and one other colour, black the more: a page in black and white has more white."""
    if jpeg:
        grey = rgb[..., 1]
        if np.ptp(rgb[::16, ::16], axis=2).any() or np.ptp(rgb, axis=2).any():
            return False
        black, other = float((grey <= DARK).mean()), float((grey >= 255 - DARK).mean())
        return other > 0 and black > 0.5 and black + other >= CLEAN_SHARE
    few = rgb[::8, ::8].reshape(-1, 3)
    if len(np.unique(few, axis=0)) > 2:
        return False
    codes, counts = _count_colours(rgb)
    return np.count_nonzero(counts) == 2 and bool(2 * counts[0] > codes.size)


def _facts_or_fault(read: Callable[[str], Facts], path: str) -> Facts | Fault:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Pillow warns of odd EXIF in files it reads well
        try:
            return read(path)
        except FileNotFoundError as error:
            return Fault(True, f'no such file ({error.strerror or error})')
        except Exception as error:  # noqa: BLE001  (a broken file makes decoders raise anything)
            return Fault(False, _reason(error, path))


def _reason(error: Exception, path: str) -> str:
    # Those of ours say the same as those of whoever predicts the file.
    cause = error if isinstance(error, ImageReadError) else error.__cause__ or error
    reason = str(cause).removeprefix(f'{path}: ').replace(f"'{path}'", 'the file')
    return ' '.join(reason.split()) or type(cause).__name__


def _soft_shares(colours: np.ndarray) -> tuple[float, float]:
    """Shares of pixels of a third colour, and of those away from any edge of the mask."""
    codes, counts = _count_colours(colours)
    counts[0] = 0
    if np.count_nonzero(counts) < 2:
        return 0.0, 0.0
    soft = (codes != 0) & (codes != np.argmax(counts))
    values = colours.max(axis=2)
    region = (values > int(values.max()) / 2).astype(np.uint8)
    kernel = np.ones((2 * EDGE_WIDTH + 1,) * 2, np.uint8)
    edge = cv2.dilate(region, kernel) != cv2.erode(region, kernel)
    return float(soft.mean()), float((soft & ~edge).mean())


def _count_colours(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A number for each pixel's colour, 0 for black, (H, W), and how often each occurs."""
    grey = colours[..., 0]
    if np.array_equal(grey, colours[..., 1]) and np.array_equal(grey, colours[..., 2]):
        return grey, np.bincount(grey.ravel(), minlength=1)
    bits = 8 * colours.itemsize
    number = np.int32 if bits == 8 else np.int64  # no more memory than the codes need
    codes = colours.astype(number) @ np.array((1 << 2 * bits, 1 << bits, 1), dtype=number)
    if bits > 8:  # too many colours to have a counter each
        black = np.zeros(1, np.int64)  # the lowest code, whether the mask has it or not
        numbers = np.unique(np.concatenate((black, codes.ravel())), return_inverse=True)[1][1:]
        codes = numbers.reshape(grey.shape)
    return codes, np.bincount(codes.ravel(), minlength=1)


def _header_oddities(image: Image.Image, data: bytes) -> Iterator[str]:
    if image.info.get(PASSED_OVER):
        yield BROKEN_METADATA
    if readable_orientation_of(image) is None:
        yield BROKEN_EXIF
    obstacle = obstacle_to_luma(data)
    if obstacle not in ('', NO_LUMA):
        yield f'{obstacle}: its coefficients are those of a transcoded copy'


def _jpeg_facts(image: Image.Image) -> JPEGFacts | None:
    if image.format not in JPEG_FORMATS:
        return None
    number = image.layer[0][3]  # type: ignore[attr-defined]
    tables = image.quantization  # type: ignore[attr-defined]
    if number not in tables:  # a lossless JPEG has none
        return None
    table = np.array(tables[number])
    return JPEGFacts(estimate_quality(table), int(table.max()))


def _bits(image: Image.Image, data: bytes) -> int:
    if image.mode.startswith('I') or image.mode == 'F':
        return 32 if image.mode in ('F', 'I') and image.format != 'PNG' else 16
    if image.format == 'PNG':
        return max(8, data[24])  # Pillow gives 16-bit colour as 8 bits without a word
    if image.format == 'TIFF':
        return max(8, *np.ravel(image.tag_v2.get(BITS_PER_SAMPLE_TAG, 8)))  # type: ignore[attr-defined]
    return 8
