"""What a forgery was before it was forged, and how it is saved afterwards.

Untouched 8x8 blocks keep the grid and the quantisation of the first generation, if there was one;
what is forged has another grid, another quantisation, both, neither, or no generation at all.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmomni.jpeg import decode, encode, open_image

FIRST_QUALITY = (70, 100)
SECOND_QUALITY = (70, 100)
DONOR_QUALITY = (40, 98)
SUBSAMPLINGS = ('4:4:4', '4:2:0')
HISTORIES = ('varied', 'double')
# What the first generation is in a 'varied' set. 'made': of libjpeg's tables; 'camera': of the
# tables of another source; 'own': the source's; 'none': the source is shrunk, or a rendered page.
MADE, CAMERA, OWN, NONE = 'made', 'camera', 'own', 'none'
FIRST: Mapping[str, float] = {MADE: 0.4, CAMERA: 0.15, OWN: 0.2, NONE: 0.25}
# How often the last generation is saved by a camera's or another program's tables.
CAMERA_SECOND = 0.15

Tables = tuple[tuple[int, ...], ...]


class Generation(NamedTuple):
    """The settings of one JPEG compression."""

    quality: int | None  # libjpeg quality, 1 to 100; None: the tables are others
    subsampling: str  # chroma layout, '4:4:4' or '4:2:0'
    tables: Tables = ()  # quantisation tables in natural order, luma first; empty: libjpeg's

    def save(self, image: np.ndarray) -> bytes:
        """``image``, ``uint8`` (H, W, 3) or grey (H, W), as a JPEG."""
        if self.quality is not None:
            return encode(image, self.quality, self.subsampling)
        buffer = BytesIO()
        # Of a grey image, Pillow takes the luma table alone.
        tables = self.tables if image.ndim == 3 else self.tables[:1]
        Image.fromarray(image).save(
            buffer, 'JPEG', qtables=[list(t) for t in tables], subsampling=self.subsampling
        )
        return buffer.getvalue()

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The pixels of ``image``, ``uint8`` (H, W, 3), after this generation."""
        return decode(self.save(image))


class History(NamedTuple):
    """The first and the second generation of an image."""

    kind: str  # key of FIRST
    first: Generation | None  # what is compressed before the forgery; None: kind 'own' or 'none'
    second: Generation  # what the forgery is saved with

    def before(self, image: np.ndarray) -> np.ndarray:
        """The pixels that the forger gets; ``uint8`` (H, W, 3) in and out."""
        return image if self.first is None else self.first(image)

    @property
    def earlier(self) -> list[Generation | None]:
        """The generations before the second; ``None``: the source's own."""
        if self.kind == OWN:
            return [None]
        return [] if self.first is None else [self.first]


def draw_generation(
    rng: np.random.Generator, quality: tuple[int, int], tables: Tables | None = None
) -> Generation:
    """A generation of a uniform quality, both ends included, or of the given tables."""
    drawn = int(rng.integers(quality[0], quality[1] + 1))
    subsampling = str(rng.choice(SUBSAMPLINGS))
    return Generation(None, subsampling, tables) if tables else Generation(drawn, subsampling)


def compress(image: np.ndarray, quality: int, subsampling: str = '4:4:4') -> np.ndarray:
    """The pixels of ``image`` after one JPEG generation; ``uint8`` (H, W, 3) in and out."""
    return decode(encode(image, quality, subsampling))


def with_foreign_history(
    image: np.ndarray, rng: np.random.Generator, like: Generation | None = None
) -> np.ndarray:
    """A donor image, ``uint8`` (H, W, 3), with a history of its own.

    One in four has that of the image it is put into (``like``), so that the grid alone differs
    where it is put in at its own scale; the others are compressed at any quality or not at all.
    """
    if like is not None and rng.random() < 0.25:
        return like(image)
    if rng.random() < 0.4:
        return image
    low, high = DONOR_QUALITY
    return compress(image, int(rng.integers(low, high + 1)), str(rng.choice(SUBSAMPLINGS)))


def on_same_grid(dy: int, dx: int) -> bool:
    """Whether content moved by (dy, dx) pixels keeps the phase of its 8x8 JPEG grid."""
    return dy % 8 == 0 and dx % 8 == 0


def tables_of(data: bytes) -> Tables | None:
    """The quantisation tables of a JPEG, or ``None``: no JPEG, or not usable for YCbCr."""
    if not data.startswith(b'\xff\xd8'):
        return None
    with open_image(data) as image:
        found = getattr(image, 'quantization', {})
        tables = tuple(tuple(found[key]) for key in sorted(found))
        usable = image.mode in ('L', 'RGB') and 1 <= len(tables) <= 3
    steps = [step for table in tables for step in table]
    if not usable or min(steps) < 1 or max(steps) > 255:
        return None
    return tables * 2 if len(tables) == 1 else tables[:2]
