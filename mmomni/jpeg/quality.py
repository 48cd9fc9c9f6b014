"""The libjpeg quality that a quantisation table stands for."""

from functools import cache

import numpy as np

# ITU-T T.81, table K.1; row = vertical frequency.
LUMA_TABLE = np.array((
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
))  # fmt: skip
# Table K.2, of the components of colour.
CHROMA_TABLE = np.array((
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *[(99,) * 8] * 4,
))  # fmt: skip
LARGEST_STEPS = (255, 32767)
"""The largest step of a table in baseline files, and in those with 16-bit tables."""


def standard_table(quality: int, largest_step: int = 255, *, chroma: bool = False) -> np.ndarray:
    """The luma (or chroma) table that libjpeg derives from a quality of 1 to 100; int64 (8, 8)."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    base = CHROMA_TABLE if chroma else LUMA_TABLE
    return ((base * scale + 50) // 100).clip(1, largest_step)


def estimate_quality(table: np.ndarray, *, chroma: bool = False) -> int | None:
    """The quality 1 to 100 whose standard table is exactly ``table`` (64 entries), else ``None``.

    Cameras and Photoshop have tables of their own, which no number describes.
    """
    return _qualities(chroma).get(tuple(int(step) for step in np.ravel(table)))


def nearest_quality(table: np.ndarray, *, chroma: bool = False) -> int:
    """The quality whose standard table is as coarse as ``table`` (64 entries), by mean logarithm.

    A measure of how strongly a table compresses, for those that no quality describes.
    """
    coarse = np.log(np.maximum(table, 1)).mean()
    means = [
        np.log(standard_table(quality, chroma=chroma)).mean() for quality in range(1, 101)
    ]
    return 1 + int(np.abs(np.array(means) - coarse).argmin())


@cache
def _qualities(chroma: bool) -> dict[tuple[int, ...], int]:
    return {
        tuple(standard_table(quality, largest, chroma=chroma).ravel().tolist()): quality
        for largest in reversed(LARGEST_STEPS)
        for quality in range(1, 101)
    }
