"""What the coefficients of a JPEG tell of an earlier compression on the same grid of blocks.

Coefficients that were quantised twice, with steps ``q1`` and then ``q2``, leave some values empty
or crowded, with a period (Lukas and Fridrich 2003, Popescu and Farid 2004). What the histogram
would be without the first is seen in the same picture moved by four pixels and transformed again:
its blocks lie across those of the file. Each ``q1`` is tried on that calibrated histogram.

Measured on photos of 320 to 768 px that were shrunk by 0.57 to be rid of their own JPEG, with
libjpeg's tables. Compressed once, qualities 50 to 98: 0 of 200 called double, and 0 of 120 others
of 481 x 321 px as they were published (quality 95); 0 of 168 files of rendered text and of photos
stretched, posterised, enlarged or sharpened. Compressed twice, 50 photos a pair, called double:
60-75 98 %, 85-75 96 %, and 60-85, 60-95, 75-85, 75-95, 80-90, 85-90, 90-95 100 %; but 90-75, 95-85
and 75-75 0 %: a much finer earlier step, or the same, leaves nothing to see. Of crops of 160 px,
60-85 and 75-95 in about nine of ten.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmomni.jpeg.stream import ZIGZAG

from .dct_blocks import blocks_of, pixels_of, transformed

LOOKED_AT = 10
"""DC and the first nine AC coefficients in zigzag order; finer ones are mostly zero."""
LARGEST_STEP = 64
"""Of the steps that are tried for the earlier compression."""
STRONG = 30.0
"""Strength from which a histogram has the period of an earlier step."""
LEAST_STRONG = 3
"""So many histograms of ten must have one."""
FALSE_ALARMS = 'of 320 photos compressed once, none was called so when it was measured'
MISSED = (
    'no proof of a single one: an earlier compression of the same or a clearly higher quality, or '
    'one on another grid, leaves none; of those of lower quality 96 to 100 % were found'
)
"""Rates for people; where they come from stands above."""
_FINE = 4
"""Bins of a unit of coefficients."""
_ROUNDING = 0.45
"""Deviation of a coefficient after the rounding of pixels to whole numbers and their clipping."""
_WIDEST = 1100
"""No coefficient of 8-bit pixels is larger."""
_LEAST_COUNT = 6
_LEAST_VALUES = 4
_SMOOTHEST = 1.5
_BLUR_OF_EXPECTED = 0.03


class Trace(NamedTuple):
    """What the histogram of one frequency tells.

    Attributes:
        number: In zigzag order; 0 is DC.
        step: Of the last compression, in the file's table.
        earlier: The step of an earlier one that explains the histogram best; 1: none does.
        strength: By how much better than none, in units of what remains unexplained.
        counts: Of the quantised values -N to N, (2N + 1,).
        calibrated: What they would be without an earlier compression, (2N + 1,).
    """

    number: int
    step: int
    earlier: int
    strength: float
    counts: np.ndarray
    calibrated: np.ndarray

    @property
    def is_strong(self) -> bool:
        return self.strength > STRONG


def traces_of(coefficients: np.ndarray, table: np.ndarray) -> list[Trace]:
    """Of each of the first ten frequencies that has values enough.

    Args:
        coefficients: Quantised, each block in its place, ``int16`` (H, W) of whole blocks.
        table: The steps, (8, 8).
    """
    if min(coefficients.shape) < 16:
        return []
    stored = blocks_of(coefficients).reshape(-1, 64)
    moved = transformed(pixels_of(coefficients, table)[4:-4, 4:-4]).reshape(-1, 64)
    found = (
        _trace(index, int(table.flat[at]), stored[:, at].astype(np.int64), moved[:, at])
        for index, at in enumerate(ZIGZAG[:LOOKED_AT])
    )
    return [trace for trace in found if trace is not None]


def is_double(traces: Sequence[Trace]) -> bool | None:
    """Whether the file was compressed before on the same grid; ``None``: nothing can be told."""
    if len(traces) < LEAST_STRONG:
        return None
    return sum(trace.is_strong for trace in traces) >= LEAST_STRONG


def _trace(index: int, step: int, stored: np.ndarray, moved: np.ndarray) -> Trace | None:
    if not 0 < step <= _WIDEST:
        return None
    counts = _counted(stored, index, step)
    most = len(counts) // 2
    if most < _LEAST_VALUES:
        return None
    folds = index > 0  # AC coefficients are as often negative as positive
    fine = _Fine(moved, most, step)
    steps = [earlier for earlier in range(2, LARGEST_STEP + 1) if earlier != step]
    calibrated, *doubles = fine.quantised([1, *steps])
    observed, single = (_folded(values, folds) for values in (counts, calibrated))
    without, last_width = 0.0, 0.0
    best, strongest = 1, 0.0
    for earlier, double in zip(steps, doubles, strict=True):
        width = max(_SMOOTHEST, earlier / step)
        if width != last_width:
            course = _smooth(observed, width)
            without, last_width = _deviance(observed, single, course, width), width
        remaining = _deviance(observed, _folded(double, folds), course, width)
        strength = (without - remaining) / (remaining / (len(observed) + folds) + 1)
        if strength > strongest:
            best, strongest = earlier, strength
    return Trace(index, step, best, strongest, counts, calibrated)


def _counted(stored: np.ndarray, index: int, step: int) -> np.ndarray:
    """How often each value occurs, up to where they get rare; (2N + 1,)."""
    most = _WIDEST // step
    within = stored[np.abs(stored) <= most] + most
    counts: np.ndarray = np.bincount(within, minlength=2 * most + 1).astype(np.float64)
    if index == 0:
        return counts
    frequent = np.flatnonzero(_smooth((counts + counts[::-1])[most:], _SMOOTHEST) >= _LEAST_COUNT)
    reach = int(frequent[-1]) if len(frequent) else 0
    return counts[most - reach : most + reach + 1]


class _Fine:
    """The histogram of coefficients that are not quantised, in bins finer than any step.

    Args:
        values: The coefficients, (N,).
        most: The largest quantised value that matters.
        step: Of the last compression.
    """

    def __init__(self, values: np.ndarray, most: int, step: int) -> None:
        self.most = most
        self.half = (most * step + 2 * step + LARGEST_STEP + 2) * _FINE
        at = np.rint(values * _FINE).astype(np.int64) + self.half
        at = at[(at >= 0) & (at <= 2 * self.half)]
        self.bins = np.bincount(at, minlength=2 * self.half + 1).astype(np.float64)
        self.centres = (np.arange(len(self.bins)) - self.half) / _FINE
        quantised_to = np.rint(self.centres / step).astype(np.int64)
        # Of each value from -most to most the first bin, and the one behind the last value's.
        self.borders = np.searchsorted(quantised_to, np.arange(-most, most + 2))

    def quantised(self, steps: Sequence[int]) -> np.ndarray:
        """How often each value occurs if one of these steps came first, (steps, 2 most + 1)."""
        bins = np.array([self._gathered_at(earlier) for earlier in steps])
        bins = _smooth(bins, _ROUNDING * _FINE)[:, : self.borders[-1]]
        counts: np.ndarray = np.add.reduceat(bins, self.borders[:-1], axis=1)
        return counts

    def _gathered_at(self, earlier: int) -> np.ndarray:
        """The bins when all in them went to the nearest multiple of a step."""
        at = np.rint(np.rint(self.centres / earlier) * earlier * _FINE).astype(np.int64)
        at = (at + self.half).clip(0, 2 * self.half)
        return self.bins if earlier == 1 else np.bincount(at, self.bins, len(self.bins))


def _folded(counts: np.ndarray, folds: bool) -> np.ndarray:
    """Without zero, of which the moved picture tells least, where both signs are taken together."""
    return (counts + counts[::-1])[len(counts) // 2 + 1 :] if folds else counts


def _deviance(
    observed: np.ndarray, expected: np.ndarray, course: np.ndarray, width: float
) -> float:
    """How far counts are from what is expected of them, whose slow course is fitted to theirs."""
    expected = expected + 0.05
    fitted = expected * course / _smooth(expected, width)
    fitted = (1 - _BLUR_OF_EXPECTED) * fitted + _BLUR_OF_EXPECTED * course + 1e-3
    logs = observed * np.log(np.where(observed > 0, observed, 1) / fitted)
    return float(2 * (logs - (observed - fitted)).sum())


def _smooth(values: np.ndarray, deviation: float) -> np.ndarray:
    """By a Gaussian along the last axis; (N,) or (M, N)."""
    size = 2 * int(4 * deviation + 0.5) + 1
    rows = np.atleast_2d(values)
    rows = cv2.GaussianBlur(rows, (size, 1), deviation, borderType=cv2.BORDER_REPLICATE)
    return rows.reshape(values.shape)
