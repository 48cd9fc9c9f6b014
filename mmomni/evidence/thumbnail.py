"""The preview that a camera puts into its file, against the picture there."""

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np

from mmomni.jpeg import decode, open_image
from mmomni.jpeg.guarded import check_image
from mmomni.jpeg.limits import MAX_PIXELS
from mmomni.jpeg.orientation import stored_size

from .sections import Fact
from .wording import NONE, reason_of

MOST_PIXELS = 2**22
LARGEST_SIDE = 1024
DIFFERENCE_SHOWN = 4
ALIKE = 0.9
"""Correlation below which the two do not show the same."""
SAME_SHAPE = 0.03
BLACK = 24
BLUR = 1.5
"""Pixels: cameras shrink in ways that leave other edges."""
_TERM = 'Thumbnail'
_CROPPED = 'its shape is not that of the picture, whose middle is shown beside it: one was cropped'


class Compared(NamedTuple):
    """Facts of a thumbnail, and its pictures as of :class:`~.sections.Section`."""

    facts: tuple[Fact, ...]
    pictures: Mapping[str, np.ndarray]


def compared(thumbnail: bytes, data: bytes) -> Compared:
    """A thumbnail beside the file that it is in, at its size, and how they differ.

    Whatever the bytes are, it ends soon and raises nothing.
    """
    if not thumbnail:
        return Compared((Fact(_TERM, NONE, 'of cameras and phones most files have one'),), {})
    try:
        small = _decoded(thumbnail)
    except Exception as error:  # noqa: BLE001  (broken files make decoders raise anything)
        return Compared((Fact(_TERM, 'present, but cannot be read', reason_of(error)),), {})
    value = f'{small.shape[1]} x {small.shape[0]} px, {len(thumbnail):,} bytes'
    shown = {'Embedded thumbnail': small}
    try:
        image, size = _picture(data, small.shape[:2])
    except Exception as error:  # noqa: BLE001
        return Compared((Fact(_TERM, value, f'not compared: {reason_of(error)}'),), shown)
    box, note = _place(small, size)
    left, top, right, bottom = box
    inside = small[top:bottom, left:right]
    image = _middle(image, (right - left) / (bottom - top)) if note == _CROPPED else image
    image = cv2.resize(image, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    fact, difference = _difference(inside, image)
    facts = (Fact(_TERM, value, note), fact)
    shown['Image at the size of its thumbnail'] = image
    shown[f'Difference, {DIFFERENCE_SHOWN} times'] = difference
    return Compared(facts, shown)


def _decoded(thumbnail: bytes) -> np.ndarray:
    """RGB (H, W, 3), refused before it is decoded where it is no thumbnail."""
    check_image(thumbnail, 'the thumbnail', MOST_PIXELS)
    pixels = decode(thumbnail, 'the thumbnail')
    side = max(pixels.shape[:2])
    if side > LARGEST_SIDE:
        scale = LARGEST_SIDE / side
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return pixels


def _picture(data: bytes, shape: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, int]]:
    """The picture of a file in RGB, not smaller than a shape, and its true width and height."""
    check_image(data, 'the picture', MAX_PIXELS)
    with open_image(data) as image:
        size = stored_size(image)
        if image.format in ('JPEG', 'MPO'):
            # libjpeg decodes at an eighth of the size and sooner, where that is enough.
            image.draft('RGB', (2 * shape[1], 2 * shape[0]))
            return np.array(image.convert('RGB')), size
    return decode(data, 'the picture'), size


def _place(small: np.ndarray, size: tuple[int, int]) -> tuple[tuple[int, int, int, int], str]:
    """Where in a thumbnail the picture should lie, and what its shape tells."""
    height, width = small.shape[:2]
    whole = 0, 0, width, height
    ratio, own = size[0] / size[1], width / height
    if abs(ratio / own - 1) <= SAME_SHAPE:
        return whole, ''
    if abs(ratio * own - 1) <= SAME_SHAPE:
        return whole, 'it lies on another side than the picture: that was turned without it'
    across = max(1, round(height * ratio)) if ratio < own else width
    down = max(1, round(width / ratio)) if ratio > own else height
    left, top = (width - across) // 2, (height - down) // 2
    box = left, top, left + across, top + down
    margin = np.ones((height, width), bool)
    margin[box[1] : box[3], box[0] : box[2]] = False
    if _is_black(small, margin):
        return box, 'black bars fill it up to its shape, as many cameras do'
    return whole, _CROPPED


def _middle(image: np.ndarray, ratio: float) -> np.ndarray:
    """The middle of a picture (H, W, 3) in another ratio of width and height."""
    height, width = image.shape[:2]
    across, down = min(width, round(height * ratio)), min(height, round(width / ratio))
    left, top = (width - across) // 2, (height - down) // 2
    return image[top : top + max(1, down), left : left + max(1, across)]


def _is_black(small: np.ndarray, where: np.ndarray) -> bool:
    return bool(where.any()) and float(np.median(small[where])) < BLACK


def _difference(small: np.ndarray, image: np.ndarray) -> tuple[Fact, np.ndarray]:
    """Two pictures (H, W, 3): how alike they are, and where they are not."""
    small, image = (cv2.GaussianBlur(each, (0, 0), BLUR) for each in (small, image))
    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float64) for each in (small, image)]
    apart = float(np.abs(grey[0] - grey[1]).mean())
    spread = [float(each.std()) for each in grey]
    likeness = None
    if min(spread) > 1:
        both = ((grey[0] - grey[0].mean()) * (grey[1] - grey[1].mean())).mean()
        likeness = float(both / (spread[0] * spread[1]))
    value = f'{apart:.1f} of 255 on average'
    value += '' if likeness is None else f', correlation {likeness:.2f}'
    if likeness is not None and likeness < ALIKE:
        note = 'they do not show the same: one of them was changed, cropped or turned'
    else:
        note = 'edges and noise differ anyway; a thing in one of them alone was put there or taken'
    difference = cv2.absdiff(small, image)
    return Fact('Thumbnail against picture', value, note), cv2.convertScaleAbs(
        difference, alpha=DIFFERENCE_SHOWN
    )
