"""The two compressions of a forgery: before the tampering and after it.

Untouched 8x8 blocks keep the grid of the first generation and are doubly compressed with
(first, second); tampered ones have no first generation on that grid.
"""

from typing import NamedTuple

import numpy as np

from mmomni.jpeg import decode, encode

FIRST_QUALITY = (50, 80)
SECOND_QUALITY = (85, 97)
DONOR_QUALITY = (40, 98)
SUBSAMPLINGS = ('4:4:4', '4:2:0')


class JpegHistory(NamedTuple):
    """Settings of both generations, first then second.

    Attributes:
        qualities: libjpeg qualities, 1 to 100.
        subsampling: Chroma layouts, ``'4:4:4'`` or ``'4:2:0'``.
    """

    qualities: tuple[int, int]
    subsampling: tuple[str, str]


def draw_history(
    rng: np.random.Generator,
    first: tuple[int, int] = FIRST_QUALITY,
    second: tuple[int, int] = SECOND_QUALITY,
) -> JpegHistory:
    """Draw both generations uniformly; the ranges include their ends."""
    qualities = tuple(int(rng.integers(low, high + 1)) for low, high in (first, second))
    subsampling = tuple(str(rng.choice(SUBSAMPLINGS)) for _ in range(2))
    return JpegHistory((qualities[0], qualities[1]), (subsampling[0], subsampling[1]))


def compress(image: np.ndarray, quality: int, subsampling: str = '4:4:4') -> np.ndarray:
    """The pixels of ``image`` after one JPEG generation; ``uint8`` (H, W, 3) in and out."""
    return decode(encode(image, quality, subsampling))


def with_foreign_history(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A donor image with a history of its own: compressed at any quality, or not at all."""
    if rng.random() < 0.4:
        return image
    low, high = DONOR_QUALITY
    return compress(image, int(rng.integers(low, high + 1)), str(rng.choice(SUBSAMPLINGS)))


def on_same_grid(dy: int, dx: int) -> bool:
    """Whether content moved by (dy, dx) pixels keeps the phase of its 8x8 JPEG grid."""
    return dy % 8 == 0 and dx % 8 == 0
