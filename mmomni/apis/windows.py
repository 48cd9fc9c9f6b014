"""Overlapping windows over an image, and how much each of them has to say where."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

OVERLAP = 512
"""With 256 the map differs from that of the image in one piece ten times as much."""
GRID = 32
"""Windows start at its multiples, so that maps of every stride up to it start at whole cells."""
DEAD = 0.4
"""Share of the overlap, at a window's edge, in which it has nothing to say: the network sees the
edge from there. Between the dead margins of two windows the one fades into the other."""


@dataclass(frozen=True)
class Side:
    """Where a window lies along the height or the width of an image.

    Attributes:
        start: First row (or column) of the window.
        whole: Rows of the image, padded to a multiple of :data:`GRID`.
        weights: Share that the window has in each of its rows, in [0, 1]. The shares that all
            windows have in a row add up to 1.
    """

    start: int
    whole: int
    weights: np.ndarray

    @property
    def size(self) -> int:
        return len(self.weights)

    @property
    def stop(self) -> int:
        return self.start + self.size

    def at_stride(self, stride: int) -> 'Side':
        """This side of a feature map, in cells of ``stride`` rows."""
        weights = self.weights.reshape(-1, stride).mean(axis=1)
        return Side(self.start // stride, self.whole // stride, weights)


class Window(NamedTuple):
    """A rectangle of an image; its weights are products of those of its rows and columns."""

    rows: Side
    columns: Side

    @property
    def share(self) -> float:
        """Which part of the image counts by this window; the shares of all windows add up to 1."""
        return math.prod(float(side.weights.sum()) / side.whole for side in self)


def overlap_of(window: int) -> int:
    """How far neighbours overlap at least: :data:`OVERLAP`, small ones by half of their side."""
    return min(OVERLAP, max(GRID, window // 2 // GRID * GRID))


def plan_windows(
    height: int, width: int, window: int, overlap: int | None = None
) -> list[Window]:
    """Cover an image, padded at the right and bottom to multiples of :data:`GRID`.

    An image with no more pixels than a window is one window, whatever its shape. Else it is
    covered by windows of one shape, of at most as many pixels as a square of side ``window``, and
    of those that cover it ones with about the fewest pixels together. Side and least ``overlap`` of
    neighbours, which is smaller (``None``: :func:`overlap_of`), are multiples of :data:`GRID`; all
    sizes are in pixels.

    Raises:
        ValueError: Window or overlap are no such numbers.
    """
    overlap = overlap_of(window) if overlap is None else overlap
    if window % GRID or overlap % GRID or not 0 < overlap < window:
        raise ValueError(
            f'expected window and overlap as multiples of {GRID}, the overlap smaller than the '
            f'window, got {window} and {overlap}'
        )
    padded = [-(-n // GRID) * GRID for n in (height, width)]
    tall, wide = padded
    sizes = min(
        _shapes(tall, wide, window**2, overlap),
        key=lambda shape: math.prod(
            _number(n, size, overlap) * size for n, size in zip(padded, shape, strict=True)
        ),
    )
    rows, columns = (_sides(n, size, overlap) for n, size in zip(padded, sizes, strict=True))
    return [Window(row, column) for row in rows for column in columns]


def _shapes(height: int, width: int, most: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Heights and widths of windows of at most ``most`` pixels, the widest for each height."""
    for number in range(1, max(1, (height - overlap) // GRID) + 1):
        size = _evenly(height, number, overlap)
        room = most // size // GRID * GRID
        if width <= room:
            yield size, width
        elif room > overlap:
            columns = -(-(width - overlap) // (room - overlap))
            yield size, _evenly(width, columns, overlap)


def _evenly(whole: int, number: int, overlap: int) -> int:
    """The size of so many windows along one side."""
    return min(whole, overlap + -(-(whole - overlap) // (number * GRID)) * GRID)


def _number(whole: int, size: int, overlap: int) -> int:
    """Of windows of this size along one side."""
    return 1 + -(-(whole - size) // (size - overlap)) if whole > size else 1


def _sides(whole: int, size: int, overlap: int) -> list[Side]:
    """Windows of ``size`` along one side, evenly spread."""
    room = (whole - size) // GRID
    steps = _number(whole, size, overlap) - 1
    starts = [GRID * (room * i // steps) for i in range(steps)] + [whole - size]
    shares = np.zeros((len(starts), whole))
    for share, start in zip(shares, starts, strict=True):
        share[start : start + size] = _ramps(size, overlap, start > 0, start + size < whole)
    shares /= shares.sum(axis=0)
    return [
        Side(start, whole, share[start : start + size])
        for share, start in zip(shares, starts, strict=True)
    ]


def _ramps(size: int, overlap: int, before: bool, after: bool) -> np.ndarray:
    """1 but for the sides that have a neighbour: there 0 in the dead margin, then linear to 1."""
    distance = np.arange(size) + 0.5
    dead = DEAD * overlap
    ramp = np.clip((distance - dead) / (overlap - 2 * dead), 0, 1)
    rise = ramp if before else np.ones(size)
    fall = ramp[::-1] if after else np.ones(size)
    return np.minimum(rise, fall)
