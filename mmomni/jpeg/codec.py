"""Image files <-> pixels. Letters: ``H W`` image height and width in pixels."""

from typing import Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from mmomni.utils.arrays import unmirrored
from mmomni.utils.file_kinds import HEAD_BYTES, certain_image_format, other_format

from . import netpbm
from .damage.ending import lacks_its_end
from .kinds import unusual_kind
from .opening import open_image
from .plugins import FORMAT_NAMES, UnsupportedFormat
from .stream import END_OF_IMAGE
from .tiff.layout import Layout, UnreadableTIFFError
from .tiff.pixels import LAYOUT, image_of, values_in
from .tiff.tags import Meaning

LONGEST_SIDE = 65_500
SUBSAMPLING = {  # OpenCV 4.7 is the first that can choose
    '4:4:4': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    '4:2:2': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    '4:2:0': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}
FULL_BITS = 16
BITS_IN_USE = (8, 10, 12, 14, FULL_BITS)
READ_KINDS = ('jpg', 'png', 'gif', 'webp', 'tif', 'jp2')
"""Those of :func:`~mmomni.utils.file_kinds.certain_image_format` that only damage keeps shut."""
ChannelOrder = Literal['rgb', 'bgr']
DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, RuntimeError, Image.DecompressionBombError,
    cv2.error,
)  # fmt: skip
"""What opening and decoding a file may raise (EOFError and RuntimeError are of plugins)."""
_EXPECTED = f'expected a whole image file ({FORMAT_NAMES})'
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


class ImageReadError(ValueError):
    """An image or mask file that cannot be used; the message names the file and the remedy."""


class UnusualKindError(ImageReadError):
    """An image of a kind that is not decoded, be it whole or not; the message names the kind."""


def decode(
    data: bytes,
    name: str = 'image',
    channel_order: ChannelOrder = 'rgb',
) -> np.ndarray:
    """Decode an image file of any common format to RGB, ignoring its orientation.

    Grey, palette, alpha (dropped), CMYK and 16-bit images (:func:`to_eight_bits`) all become RGB;
    pixels of floats or of 32 bits are refused, because nothing says what their white is. Of a TIFF
    it is the picture of :func:`.tiff.choosing.layout_of`.

    Args:
        data: The whole file.
        name: What an error message calls it, usually the path.
        channel_order: ``'rgb'``, or ``'bgr'`` as the host has it.

    Returns:
        ``uint8`` (H, W, 3).

    Raises:
        ImageReadError: The bytes are no image, are not whole, exceed Pillow's pixel limit, or
            (:class:`UnusualKindError`) are of a kind that is not decoded, which is named.
    """
    return decode_with_notes(data, name, channel_order)[0]


def decode_with_notes(
    data: bytes,
    name: str = 'image',
    channel_order: ChannelOrder = 'rgb',
) -> tuple[np.ndarray, list[str]]:
    """:func:`decode`, and what was assumed of the pixels, for a person to know."""
    notes: list[str] = []
    return _decoded(data, name, channel_order, notes), notes


def _decoded(
    data: bytes, name: str, channel_order: ChannelOrder, notes: list[str]
) -> np.ndarray:
    try:
        with open_image(data) as image:
            rgb = _rgb_of_values(image, data, notes)
            if rgb is not None:
                return rgb if channel_order == 'rgb' else _swapped(rgb)
            # Pillow tells a cut file from a whole one, OpenCV does not. Of a file that ends where
            # a JPEG ends, OpenCV makes the same pixels faster.
            if is_plain_jpeg(image) and data.endswith(b'\xff' + END_OF_IMAGE):
                pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _AS_STORED)
                if pixels is not None:
                    return pixels if channel_order == 'bgr' else _swapped(pixels)
            # Of which Pillow says nothing where restart markers divide the scan.
            if lacks_its_end(data):
                raise ValueError('image file is truncated: it has no end')
            rgb = values_of(image, 'RGB')
            return rgb if channel_order == 'rgb' else _swapped(rgb)
    except DECODER_ERRORS as error:
        raise refusal_of(data, name, error) from error


def refusal_of(data: bytes, name: str, error: Exception) -> ImageReadError:
    """What to tell a person of an error in opening or decoding a file."""
    if isinstance(error, UnsupportedFormat):
        return ImageReadError(f'{name}: {error}')
    if isinstance(error, UnreadableTIFFError):
        return ImageReadError(f'{name}: {error.refusal}')
    kind = unusual_kind(data)
    if kind and not _is_cut(error):
        return UnusualKindError(f'{name}: {undecodable(kind)}')
    if isinstance(error, UnidentifiedImageError):
        return ImageReadError(f'{name}: {not_opened(data)}')
    return ImageReadError(
        f'{name}: {_EXPECTED}, got {len(data)} bytes that cannot be decoded '
        f'({" ".join(str(error).split())}); replace or remove the file'
    )


def not_opened(data: bytes, format_name: str = '') -> str:
    """The reason to refuse a file that Pillow does not open, or in a format that is not read here.

    It is named as what it is: by Pillow's name of the format, if there is one, else by its bytes.
    """
    head = data[:HEAD_BYTES]
    kind = format_name or certain_image_format(head)
    if kind and kind not in READ_KINDS:
        return (
            f'{_EXPECTED}, got {kind.upper()}, a format that is not read here; convert it to PNG '
            'or TIFF with a program that can'
        )
    what = f'damaged {kind}' if kind else other_format(head) or 'no known format'
    return f'{_EXPECTED}, got {len(data)} bytes ({what}); replace or remove the file'


def _is_cut(error: Exception) -> bool:
    return 'truncated' in str(error).lower()


def undecodable(kind: str) -> str:
    """The reason to refuse a file of a kind of JPEG that :func:`unusual_kind` names."""
    return (
        f'expected an image that can be decoded, got {kind}, which Pillow and OpenCV cannot '
        'decode; convert it to PNG or TIFF with a program that can (its compression history is '
        'lost)'
    )


def values_of(image: Image.Image, mode: str | None = None) -> np.ndarray:
    """The values of an opened image, converted or not, in the place where the file has them."""
    if LAYOUT in image.info:  # of which only the header was opened
        image = image_of(image.info[LAYOUT])
    return np.array(image if mode is None else image.convert(mode))


def _swapped(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)


def is_plain_jpeg(image: Image.Image) -> bool:
    """Whether an opened file is a JPEG in grey, or in colours that decode to RGB."""
    return image.format in ('JPEG', 'MPO') and image.mode in ('L', 'RGB')


class Deep(NamedTuple):
    """Pixels of more than 8 bits.

    Attributes:
        values: ``uint16`` (H, W) or (H, W, 3), as stored.
        alpha: ``uint16`` (H, W); ``None`` where there is none.
        white: The value that the file says is white; 0 where it does not say.
        largest: The file says that a value like this occurs; 0 where it does not say.
    """

    values: np.ndarray
    alpha: np.ndarray | None = None
    white: int = 0
    largest: int = 0


def deep_values(image: Image.Image, data: bytes) -> Deep | None:
    """The pixels of an opened image of more than 8 bits, as stored; ``None`` of 8 bits.

    Raises:
        ValueError: They are floats or of 32 bits, or not all there.
    """
    if LAYOUT in image.info:
        layout: Layout = image.info[LAYOUT]
        if layout.bits <= 8 or not layout.is_plain or layout.photometric == Meaning.CMYK:
            return None
        return Deep(*values_in(layout), layout.white, layout.largest)
    if image.format == 'PPM' and (found := netpbm.deep_values(data)):
        return Deep(found[0], white=found[1])
    if image.mode == 'F' or (image.mode == 'I' and image.format not in ('PNG', 'PPM')):
        raise ValueError(f'its pixels are of {np.array(image).dtype}, not of 8 or 16 bits')
    if image.mode.startswith('I'):
        return Deep(values_of(image).astype(np.uint16))
    if image.format == 'PNG' and data[24] == 16 and image.mode in ('RGB', 'RGBA'):
        image.load()  # because Pillow tells a cut file from a whole one, OpenCV does not
        colours = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if colours is None:
            raise ValueError('OpenCV cannot decode this PNG of 16 bits')
        alpha = np.ascontiguousarray(colours[..., 3]) if colours.shape[2] == 4 else None
        return Deep(np.ascontiguousarray(colours[..., 2::-1]), alpha)
    return None


def _rgb_of_values(image: Image.Image, data: bytes, notes: list[str]) -> np.ndarray | None:
    """Of TIFFs, and of images with more than 8 bits; ``None`` for others."""
    deep = deep_values(image, data)
    if deep is not None:
        values, note = to_eight_bits(deep)
        notes += [note] if note else []
    elif LAYOUT in image.info:
        values = values_in(image.info[LAYOUT])[0]
    else:
        return None
    return values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)


def to_eight_bits(deep: Deep) -> tuple[np.ndarray, str]:
    """The 8 highest bits of those in use, and a note on which these are.

    Cameras and scanners of 10 to 14 bits put their values in the lowest bits of 16. Where a file
    does not say so, the largest value tells; a photo that dark would be black otherwise, and is
    not changed without the note.

    Returns:
        ``uint8`` of the same shape; the note, empty where nothing was assumed.
    """
    values, white, largest = deep.values, deep.white, deep.largest
    if white and (white + 1) & white:  # no number of bits
        return (values.astype(np.uint32).clip(max=white) * 255 // white).astype(np.uint8), ''
    if white:
        return _highest(values.clip(max=white), white.bit_length()), ''
    peak = int(values.max(initial=0))
    bits = next(bits for bits in BITS_IN_USE if max(peak, largest) < 1 << bits)
    if bits == FULL_BITS or peak == 0:
        return _highest(values, FULL_BITS), ''
    return _highest(values, bits), (
        f'no value of its 16 bits is above {peak}: it was taken to be of {bits} bits, with '
        f'{(1 << bits) - 1} as white; if it is a photo as dark as that, it was brightened'
    )


def _highest(values: np.ndarray, bits: int) -> np.ndarray:
    return (values >> (bits - 8)).astype(np.uint8)


def encode(
    pixels: np.ndarray,
    quality: int,
    subsampling: str = '4:4:4',
    name: str = 'image',
    channel_order: ChannelOrder = 'rgb',
) -> bytes:
    """Save colour (or grey) pixels as a baseline JPEG in memory.

    Args:
        pixels: ``uint8`` (H, W, 3) or (H, W).
        quality: libjpeg quality, 1 to 100.
        subsampling: Chroma layout: ``'4:4:4'``, ``'4:2:2'`` or ``'4:2:0'``.
        name: What an error message calls the image, usually its path.
        channel_order: ``'rgb'``, or ``'bgr'`` as the host has it.

    Raises:
        ImageReadError: A side is longer than a JPEG can be.
    """
    if subsampling not in SUBSAMPLING:
        raise ValueError(f'subsampling must be one of {tuple(SUBSAMPLING)}, got {subsampling!r}')
    if max(pixels.shape[:2]) > LONGEST_SIDE:
        raise ImageReadError(
            f'{name}: expected sides of at most {LONGEST_SIDE} px, the limit of JPEG, got '
            f'{pixels.shape[1]} x {pixels.shape[0]}; shrink or tile the image'
        )
    pixels = unmirrored(pixels)
    if pixels.ndim == 3 and channel_order == 'rgb':
        pixels = _swapped(pixels)
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SUBSAMPLING[subsampling]]
    return cv2.imencode('.jpg', pixels, options)[1].tobytes()
