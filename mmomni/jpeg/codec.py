"""Image files <-> pixels. Letters: ``H W`` image height and width in pixels."""

from typing import Literal

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from mmomni.utils.arrays import unmirrored

from .ending import lacks_its_end
from .kinds import unusual_kind
from .opening import open_image
from .orientation import UPRIGHT, as_stored, orientation_of
from .stream import END_OF_IMAGE

LONGEST_SIDE = 65_500
SUBSAMPLING = {  # OpenCV 4.7 is the first that can choose
    '4:4:4': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    '4:2:2': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    '4:2:0': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}
ChannelOrder = Literal['rgb', 'bgr']
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


class ImageReadError(ValueError):
    """An image or mask file that cannot be used; the message names the file and the remedy."""


class UnusualKindError(ImageReadError):
    """An image of a kind that is not decoded, be it whole or not; the message names the kind."""


def decode(
    data: bytes,
    name: str = 'image',
    channel_order: ChannelOrder = 'rgb',
    needs_end: bool = True,
) -> np.ndarray:
    """Decode an image file of any common format to RGB, ignoring EXIF orientation.

    Grey, palette, alpha (dropped), CMYK and 16-bit images (high byte kept) all become RGB;
    pixels of floats or of 32 bits are refused, because nothing says what their white is.

    Args:
        data: The whole file.
        name: What an error message calls it, usually the path.
        channel_order: ``'rgb'``, or ``'bgr'`` as the host has it.
        needs_end: Refuse a JPEG without the marker of its end, even if all blocks are decoded
            (see :func:`mmomni.jpeg.ending.with_its_end`). Otherwise the decoder's word counts.

    Returns:
        ``uint8`` (H, W, 3).

    Raises:
        ImageReadError: The bytes are no image, are not whole, exceed Pillow's pixel limit, or
            (:class:`UnusualKindError`) are of a kind that is not decoded, which is named.
    """
    try:
        with open_image(data) as image:
            if image.mode.startswith(('I', 'F')):
                return _sixteen_bit_to_rgb(image)
            # Pillow tells a cut file from a whole one, OpenCV does not. Of a file that ends where
            # a JPEG ends, OpenCV makes the same pixels faster.
            if is_plain_jpeg(image) and data.endswith(b'\xff' + END_OF_IMAGE):
                pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _AS_STORED)
                if pixels is not None:
                    return pixels if channel_order == 'bgr' else _swapped(pixels)
            # Of which Pillow says nothing where restart markers divide the scan.
            if needs_end and lacks_its_end(data):
                raise ValueError('image file is truncated: it has no end')
            rgb = values_of(image, 'RGB')
            return rgb if channel_order == 'rgb' else _swapped(rgb)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, cv2.error) as error:
        raise _refusal(data, name, error) from error


def _refusal(data: bytes, name: str, error: Exception) -> ImageReadError:
    kind = unusual_kind(data)
    if kind and not _is_cut(error):
        return UnusualKindError(f'{name}: {undecodable(kind)}')
    unknown = isinstance(error, UnidentifiedImageError)
    return ImageReadError(
        f'{name}: expected a whole image file (JPEG, PNG, TIFF, WebP, BMP or GIF), got '
        f'{len(data)} bytes that cannot be decoded ('
        f'{"no known image format" if unknown else error}); replace or remove the file'
    )


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
    # Pillow turns TIFF, and no other format, by its orientation when it decodes.
    turned = orientation_of(image) if image.format == 'TIFF' else UPRIGHT
    return as_stored(np.array(image if mode is None else image.convert(mode)), turned)


def _swapped(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)


def is_plain_jpeg(image: Image.Image) -> bool:
    """Whether an opened file is a JPEG in grey, or in colours that decode to RGB."""
    return image.format in ('JPEG', 'MPO') and image.mode in ('L', 'RGB')


def _sixteen_bit_to_rgb(image: Image.Image) -> np.ndarray:
    values = values_of(image)
    if image.mode == 'F' or (image.mode == 'I' and image.format != 'PNG'):
        raise ValueError(f'its pixels are of {values.dtype}, not of 8 or 16 bits')
    return np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=2)


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
