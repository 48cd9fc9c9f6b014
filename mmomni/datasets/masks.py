"""What a ground-truth mask says, whatever file it is in: the one meaning of "tampered"."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmomni.jpeg import ImageReadError, decode, open_image, values_of
from mmomni.jpeg.codec import deep_values
from mmomni.jpeg.damage.integrity import check_whole, refuse_without_end
from mmomni.jpeg.tiff.pixels import LAYOUT
from mmomni.jpeg.tiff.tags import Coding
from mmomni.utils.file_kinds import IMAGE_SUFFIXES

from . import mask_arrays
from .mask_rules import GENERAL_RULE, MaskRule

LOSSY_THRESHOLD = 127
"""A JPEG cannot hold a clean mask: its ringing around edges is no ground truth."""
LOSSY_PEAK = 200
"""A mask of 0/255 has pixels as bright, whatever compression did to it."""
LOSSY_FORMATS = ('JPEG', 'MPO', 'AVIF')
LOSSY_CODINGS = (Coding.OLD_JPEG, Coding.JPEG, 50001, 50002)
"""Of TIFFs; the last two are WebP and JPEG XL."""
MASK_SUFFIXES = IMAGE_SUFFIXES | {'.pgm', '.pbm', '.pnm', '.dib', *mask_arrays.SUFFIXES}
IGNORED = 255
"""The label of pixels that neither losses nor metrics count."""
NEARLY_ALL, MANY_COLOURS = 0.99, 16
_OPENEXR = b'v/1\x01'


class MaskValues(NamedTuple):
    """What a mask file says of each pixel.

    Attributes:
        colours: ``uint8`` or ``uint16`` (H, W, 3).
        threshold: What is above it in any channel is tampered.
        source: What of the file they are: ``'colours'``, ``'lossy'`` (colours of a JPEG and the
            like), ``'alpha'``, ``'indices'`` of a palette or ``'array'``.
        ignored: ``bool`` (H, W), pixels that do not count; ``None``: all count.
    """

    colours: np.ndarray
    threshold: int
    source: str
    ignored: np.ndarray | None = None

    def tampered(self) -> np.ndarray:
        """``bool`` (H, W)."""
        found = self.colours.max(axis=2) > self.threshold
        return found if self.ignored is None else found & ~self.ignored

    def labels(self) -> np.ndarray:
        """``uint8`` (H, W): 1 tampered, 0 authentic, 255 not counted."""
        labels = self.tampered().astype(np.uint8)
        if self.ignored is not None:
            labels[self.ignored] = IGNORED
        return labels


def is_mask(path: Path) -> bool:
    """Whether a file is a mask that can be read, by its name."""
    return path.suffix.lower() in MASK_SUFFIXES


def tampered_pixels(data: bytes, name: str = 'mask', rule: MaskRule = GENERAL_RULE) -> np.ndarray:
    """Which pixels are tampered, ``bool`` (H, W); see :func:`mask_values`."""
    return mask_values(data, name, rule).tampered()


def mask_values(data: bytes, name: str = 'mask', rule: MaskRule = GENERAL_RULE) -> MaskValues:
    """What a mask file says of each pixel.

    A pixel is tampered where any channel differs from 0, in 0/1, 0/255, colours, a palette, 16
    bits or an array alike. Masks saved as JPEG, or with loss otherwise, are cut at 127 instead,
    arrays of floats from 0 to 1 at one half. Alpha is ignored, unless the colours are one colour
    all over: then it says where that colour lies over black, so that what is not wholly transparent
    is tampered, unless the colour is black itself. Where a palette has but one colour, its indices
    count.

    Args:
        data: The whole file.
        name: What an error message calls it, usually the path.
        rule: What the set says of its masks.

    Raises:
        ImageReadError: The file cannot be read, pixels of it were made up in decoding, or it is
            not clear what in it is tampered.
        ImportError: It needs a package that is not installed.
    """
    if mask_arrays.is_array(data, name):
        array, shares = mask_arrays.read_values(data, name)
        if rule.asks_for_alpha:
            raise _without_alpha(name, rule)
        found = MaskValues(_grey(array), LOSSY_THRESHOLD if shares else 0, 'array')
    else:
        refuse_without_end(data, name)
        colours, lossy = colours_of(data, name)
        check_whole(data, name, colours)
        found = MaskValues(colours, 0, 'colours')
        if lossy:
            found = MaskValues(colours, LOSSY_THRESHOLD, 'lossy')
        with open_image(data) as image:
            found = _in_its_channel(found, image, data, name, rule)
        if found.source == 'lossy':
            _refuse_dim(found.colours, name)
    return found._replace(ignored=_ignored(found, name, rule)) if rule.ignore else found


def colours_of(data: bytes, name: str = 'mask') -> tuple[np.ndarray, bool]:
    """A mask's colours as stored, in all the bits of the file.

    Args:
        data: The whole file.
        name: What an error message calls it, usually the path.

    Returns:
        ``uint8`` or ``uint16`` (H, W, 3), and whether it was saved with loss.

    Raises:
        ImageReadError: The bytes are no image, or none whose values can be read.
    """
    if data.startswith(_OPENEXR):
        raise ImageReadError(f'{name}: is an OpenEXR file, which is not read; save it as PNG')
    colours = decode(data, name)
    with open_image(data) as image:
        # Values of 16 bits may all lie in bits that decode() drops.
        deep = deep_values(image, data)
        if deep is not None:
            colours = deep.values if deep.values.ndim == 3 else _grey(deep.values)
        return colours, _is_lossy(image, data)


def _is_lossy(image: Image.Image, data: bytes) -> bool:
    if LAYOUT in image.info:
        return image.info[LAYOUT].compression in LOSSY_CODINGS
    return image.format in LOSSY_FORMATS or (image.format == 'WEBP' and not _is_lossless(data))


def _is_lossless(webp: bytes) -> bool:
    at = 12
    while (kind := webp[at : at + 4]) not in (b'VP8 ', b'VP8L', b'ANMF', b''):
        size = int.from_bytes(webp[at + 4 : at + 8], 'little')
        at += 8 + size + size % 2
    return kind == b'VP8L'


# ---- what says it, if not the colours ------------------------------------------------------


def _in_its_channel(
    plain: MaskValues, image: Image.Image, data: bytes, name: str, rule: MaskRule
) -> MaskValues:
    """The values that say what is tampered: the colours (``plain``), alpha, or indices."""
    alpha = None if rule.channel == 'colour' else _alpha_of(image, data)
    if rule.asks_for_alpha:
        if alpha is None:
            raise _without_alpha(name, rule)
        opaque = np.iinfo(alpha.dtype).max
        return MaskValues(_grey(alpha if rule.channel == 'alpha' else opaque - alpha), 0, 'alpha')
    if rule.channel == 'colour' or (alpha is None and image.mode != 'P'):
        return plain
    flat = _is_flat(plain.colours)
    if flat and image.mode == 'P' and not _is_flat(indices := values_of(image)):
        return MaskValues(_grey(indices), 0, 'indices')
    if alpha is None or _is_flat(alpha):
        return plain
    if flat and plain.colours.any() and not alpha.all():
        return MaskValues(_grey(alpha), 0, 'alpha')
    marked = plain.tampered()
    if flat or marked.mean() >= NEARLY_ALL or _is_cut_out(plain.colours, marked, alpha):
        raise ImageReadError(
            f'{name}: the colours mark {marked.mean():.0%} of the pixels while its alpha channel '
            'has several values too, so that it is not clear what is tampered; say '
            "it with an argument of the dataset: mask_channel='alpha' (what is not transparent), "
            "'transparency' (what is not opaque) or 'colour' (as the colours say)"
        )
    return plain


def _is_cut_out(colours: np.ndarray, marked: np.ndarray, alpha: np.ndarray) -> bool:
    """Whether they are those of a photo, and its alpha says something else than they do."""
    opaque = np.iinfo(alpha.dtype).max
    if any(np.array_equal(marked, each) for each in (alpha > 0, alpha < opaque)):
        return False
    return len(np.unique(colours[::4, ::4].reshape(-1, 3), axis=0)) > MANY_COLOURS


def _alpha_of(image: Image.Image, data: bytes) -> np.ndarray | None:
    """``uint8`` or ``uint16`` (H, W); ``None`` where a file has none."""
    deep = deep_values(image, data)
    if deep is not None and deep.alpha is not None:
        return deep.alpha
    if image.mode not in ('RGBA', 'LA', 'PA') and 'transparency' not in image.info:
        return None
    if image.mode.startswith('I'):  # one grey level is transparent
        return np.where(values_of(image) == image.info['transparency'], 0, 255).astype(np.uint8)
    return values_of(image, 'RGBA')[..., 3]


def _is_flat(values: np.ndarray) -> bool:
    first = values[0, 0]
    # Most masks show in a few pixels that they are not.
    return bool((values[::16, ::16] == first).all() and (values == first).all())


def _grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


def _refuse_dim(colours: np.ndarray, name: str) -> None:
    """Classes 0 and 1, or a faint mask, of which no threshold makes what was before the loss."""
    low, peak = int(colours.min()), int(colours.max())
    if low < peak < LOSSY_PEAK:
        raise ImageReadError(
            f'{name}: expected black and white in a mask saved as JPEG or with other loss, got '
            f'{low} to {peak} of 255: what is tampered cannot be told from what compression '
            'changed; write the mask as a PNG of 0 and 255 from what it was made of'
        )


def _without_alpha(name: str, rule: MaskRule) -> ImageReadError:
    return ImageReadError(
        f'{name}: mask_channel={rule.channel!r} asks for an alpha channel, and the mask has none; '
        "leave mask_channel at 'auto'"
    )


def _ignored(found: MaskValues, name: str, rule: MaskRule) -> np.ndarray:
    """Which pixels have one of the values that do not count."""
    if found.threshold:
        raise ImageReadError(
            f'{name}: mask_ignore={rule.ignore} names exact values, and a mask '
            f'{"of shares" if found.source == "array" else "saved with loss"} has none; save it as '
            'PNG'
        )
    same = (np.all(found.colours == np.array(value), axis=2) for value in rule.ignore)
    return np.logical_or.reduce(list(same))
