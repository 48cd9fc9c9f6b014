"""What pictures look like, and groups of look-alikes among very many of them.

Letters: ``N`` pictures.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

BITS = 64
MAX_DISTANCE = 6
"""Bits in which the hashes of copies may differ."""
LEAST_CORRELATION = 0.98
"""How alike the thumbnails of copies must be for a match of hashes to count."""
LEAST_CONTRAST = 2.0
"""Standard deviation of grey values below which hashes are noise."""

_SIDE = 32
_THUMBNAIL_SIDE = 16
_CELLS_AT_ONCE = 1 << 22
_PAIRS_AT_ONCE = 1 << 15
_POPCOUNT = np.array([value.bit_count() for value in range(1 << 16)], dtype=np.uint8)


class Appearance(NamedTuple):
    """What a picture looks like, whatever its size and compression.

    Attributes:
        hash: The signs, relative to their median, of the 64 lowest frequencies (without the mean)
            of the DCT of the picture at 32x32.
        thumbnail: Grey values at 16x16.
    """

    hash: int
    thumbnail: bytes


def appearance_of(grey: np.ndarray) -> Appearance | None:
    """What ``uint8`` (H, W) looks like; ``None`` if it is flat and so looks like any other."""
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    if small.std() < LEAST_CONTRAST:
        return None
    frequencies = cv2.dct(small.astype(np.float32))[_lowest_frequencies()]
    bits = np.packbits(frequencies > np.median(frequencies))
    side = (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
    thumbnail = cv2.resize(small, side, interpolation=cv2.INTER_AREA)
    return Appearance(int.from_bytes(bits.tobytes(), 'big'), thumbnail.tobytes())


def similar_groups(appearances: Sequence[Appearance]) -> list[list[int]]:
    """Group the indices of look-alikes (transitively), each group and all groups sorted.

    Hashes that differ in at most 6 bits agree in one of 7 bands of bits, so only those that share
    a band are compared: about N * N / 150 comparisons in NumPy, seconds for 100,000 images.
    """
    hashes = np.array([each.hash for each in appearances], dtype=np.uint64)
    thumbnails = np.frombuffer(b''.join(each.thumbnail for each in appearances), dtype=np.uint8)
    thumbnails = thumbnails.reshape(len(appearances), _THUMBNAIL_SIDE**2)
    parents = DisjointSets(len(appearances))
    leaders = np.array(list(_join_equal_hashes(hashes, thumbnails, parents)), dtype=int)
    for near in _near_pairs(hashes[leaders]):
        first, second = (leaders[side] for side in near)
        alike = correlation(thumbnails[first], thumbnails[second]) >= LEAST_CORRELATION
        for pair in zip(first[alike].tolist(), second[alike].tolist(), strict=True):
            parents.join(*pair)
    groups: dict[int, list[int]] = {}
    for index in range(len(appearances)):
        groups.setdefault(parents.root(index), []).append(index)
    return sorted(group for group in groups.values() if len(group) > 1)


def distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Differing bits of ``uint64`` arrays that broadcast; ``uint8``."""
    differing = np.ascontiguousarray(first ^ second)
    words = differing.reshape(*differing.shape, 1).view(np.uint16)
    return _POPCOUNT[words].sum(axis=-1, dtype=np.uint8)


def correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How the rows of two arrays (N, 256) correlate, or one row with all others; (N,), -1 to 1."""
    first, second = _normalised(first), _normalised(second)
    return (first * second).sum(axis=-1)


def _normalised(rows: np.ndarray) -> np.ndarray:
    centred = rows - rows.mean(axis=-1, keepdims=True, dtype=np.float32)
    return centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-6)


def _join_equal_hashes(
    hashes: np.ndarray, thumbnails: np.ndarray, parents: 'DisjointSets'
) -> Iterator[int]:
    """Join look-alikes of equal hash and yield one of each such group."""
    for members in _split_by_value(hashes):
        remaining = members
        while len(remaining) > 1:
            leader = int(remaining[0])
            yield leader
            alike = correlation(thumbnails[remaining], thumbnails[leader]) >= LEAST_CORRELATION
            alike[0] = True
            for member in remaining[alike].tolist():
                parents.join(leader, member)
            remaining = remaining[~alike]
        yield from remaining.tolist()


def _near_pairs(hashes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of hashes that differ in few bits, many pairs at a time, some of them repeatedly."""
    for bucket in _buckets(hashes):
        rows = max(1, _CELLS_AT_ONCE // len(bucket))
        for start in range(0, len(bucket), rows):
            block = bucket[start : start + rows]
            near = distance(hashes[block][:, None], hashes[bucket][None]) <= MAX_DISTANCE
            row, column = np.nonzero(near & (block[:, None] < bucket))
            for pair in range(0, len(row), _PAIRS_AT_ONCE):
                piece = slice(pair, pair + _PAIRS_AT_ONCE)
                yield block[row[piece]], bucket[column[piece]]


def _buckets(hashes: np.ndarray) -> Iterator[np.ndarray]:
    """Indices of hashes that agree in a band of bits, band by band."""
    edges = np.linspace(0, BITS, MAX_DISTANCE + 2).astype(int).tolist()
    for low, high in pairwise(edges):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        yield from (bucket for bucket in _split_by_value(band) if len(bucket) > 1)


def _split_by_value(values: np.ndarray) -> list[np.ndarray]:
    """Ascending indices of equal values."""
    order = np.argsort(values, kind='stable')
    return np.split(order, np.nonzero(np.diff(values[order]))[0] + 1)


class DisjointSets:
    """Disjoint sets of the numbers below ``count``."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def root(self, item: int) -> int:
        parents = self._parents
        while parents[item] != item:
            parents[item] = item = parents[parents[item]]
        return item

    def join(self, first: int, second: int) -> None:
        low, high = sorted((self.root(first), self.root(second)))
        self._parents[high] = low


def _lowest_frequencies() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices((_SIDE, _SIDE)).reshape(2, -1)
    order = np.lexsort((rows, rows + columns))[1 : BITS + 1]
    return rows[order], columns[order]
