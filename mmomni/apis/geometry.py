"""Where a window lies in its image, as the numbers that a network computes with.

Letters: ``n`` cells of a window's feature map along a side, ``S`` cells of a pooled side.
"""

from typing import Literal, NamedTuple, get_args

import numpy as np

from .windows import GRID, Side, Window

Kind = Literal['shares', 'own_shares', 'coordinates', 'interpolation']
AXES = ('rows', 'columns')
MOST_CELLS = 64
"""Of a pooled side; more is no summary of an image."""


def shares(side: Side, number: int) -> np.ndarray:
    """Share of each of the window's cells in the pooled cells of the whole side, (S, n).

    Over all windows, the shares of a pooled cell add up to 1. Cells as in adaptive pooling: the
    i-th begins at ``floor(i n / S)`` and ends before ``ceil((i + 1) n / S)``.
    """
    cell = np.arange(number)[:, None]
    first, end = cell * side.whole // number, -(-(cell + 1) * side.whole // number)
    position = np.arange(side.start, side.stop)
    return ((first <= position) & (position < end)) / (end - first) * side.weights


def interpolation(side: Side, number: int, align_corners: bool) -> np.ndarray:
    """Linear interpolation from S cells to the whole side, of which this window's rows (n, S)."""
    position = np.arange(side.start, side.stop, dtype=np.float64)
    if align_corners:
        place = position * ((number - 1) / max(1, side.whole - 1))
    else:
        place = np.clip((position + 0.5) * (number / side.whole) - 0.5, 0, number - 1)
    return np.clip(1 - np.abs(place[:, None] - np.arange(number)), 0, None)


def coordinates(side: Side) -> np.ndarray:
    """-1 at the first cell of the whole side, 1 at its last: those of the window, (n,)."""
    return np.linspace(-1, 1, side.whole)[side.start : side.stop]


def alone(side: Side) -> Side:
    """The window, as if it were the whole image."""
    return Side(0, side.size, np.ones(side.size))


class Operand(NamedTuple):
    """An input of an exported network that tells it where a window lies, along one side.

    Attributes:
        kind: ``'shares'`` of the window in the whole image, ``'own_shares'`` in itself, its
            ``'coordinates'``, or ``'interpolation'`` from cells of the whole image: from those of
            the window itself, as long as the whole is not known.
        axis: 0: rows, 1: columns.
        stride: Of the feature map.
        cells: ``S``.
        align_corners: Of the interpolation.
    """

    kind: Kind
    axis: int
    stride: int
    cells: int = 1
    align_corners: bool = False

    @property
    def name(self) -> str:
        corners = '_corners' if self.align_corners else ''
        return f'{self.kind}_{AXES[self.axis]}_stride{self.stride}_cells{self.cells}{corners}'

    @property
    def is_sound(self) -> bool:
        """Whether it can be computed, should a file have been made to say otherwise."""
        kind, axis, stride, cells, align_corners = self
        return (
            kind in get_args(Kind)
            and all(type(each) is int for each in (axis, stride, cells))
            and type(align_corners) is bool
            and axis in range(len(AXES))
            and 1 <= stride <= GRID
            and GRID % stride == 0
            and 1 <= cells <= MOST_CELLS
        )

    def of(self, window: Window, told: bool) -> np.ndarray:
        """``float32``: (S, n) of shares, (n, S) of interpolation, (n,) of coordinates.

        Args:
            window: It may be the whole image.
            told: Whether the network is told what it would say of the whole image.
        """
        side = window[self.axis].at_stride(self.stride)
        if self.kind == 'coordinates':
            value = coordinates(side)
        elif self.kind == 'interpolation':
            value = interpolation(side if told else alone(side), self.cells, self.align_corners)
        else:
            value = shares(side if self.kind == 'shares' else alone(side), self.cells)
        return value.astype(np.float32)
