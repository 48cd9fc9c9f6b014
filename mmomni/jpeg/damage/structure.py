"""A JPEG up to its end, as a decoder meets it: segments, coded data, and what is neither."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mmomni.jpeg.kinds import ARITHMETIC, HIERARCHICAL, LOSSLESS
from mmomni.jpeg.stream import END_OF_IMAGE, FRAMES, START_OF_SCAN, Segment

RESTART_INTERVAL, HUFFMAN_TABLES = b'\xdd', b'\xc4'
_MARKER = re.compile(rb'\xff[^\x00\xff]')
_NO_RESTART = re.compile(rb'\xff[^\x00\xff\xd0-\xd7]')
_BEHIND_A_SCAN = frozenset((0xC4, 0xCC, *range(0xD9, 0xDE), *range(0xE0, 0xF0), 0xFE))
"""Tables, the next scan, the end, a number of lines (DNL), application data, comments."""
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD8)))
_MOST_PARTS = 100_000
"""Segments and strays: of more, none could have been meant, and each costs time."""


class Scan(NamedTuple):
    """The coded data of some components.

    Attributes:
        header: Content of the segment in front of them.
        interval: Units (MCUs) between two restart markers; 0: none are due.
        start: Where the data begin.
        end: Behind their last byte; fill bytes in front of the next marker are none of them.
        restarts: Where restart markers lie in them, (N,).
        numbers: Of these markers, 0 to 7, (N,).
    """

    header: bytes
    interval: int
    start: int
    end: int
    restarts: np.ndarray
    numbers: np.ndarray

    @property
    def components(self) -> bytes:
        """Identifiers of its components."""
        return self.header[1 : 1 + 2 * self.header[0] : 2]


class Stray(NamedTuple):
    """A marker where it has no meaning, or ``length`` bytes between two segments."""

    position: int
    marker: int | None
    length: int
    in_scan: bool


@dataclass(frozen=True)
class Structure:
    """All of a JPEG up to its end.

    Attributes:
        frame: Content of the frame header, empty if there is none.
        process: Its marker.
        segments: All, in their order.
        scans: Likewise.
        strays: What belongs to neither.
        end: Where the marker of the end lies, or -1.
    """

    frame: bytes
    process: bytes
    segments: list[Segment]
    scans: list[Scan]
    strays: list[Stray]
    end: int

    @cached_property
    def has_blocks(self) -> bool:
        """Whether it is made of DCT coefficients, and its frame header is one."""
        frame = self.frame
        rare = self.process in LOSSLESS | HIERARCHICAL
        return len(frame) >= 9 and len(frame) == 6 + 3 * frame[5] and not rare

    @cached_property
    def is_huffman(self) -> bool:
        """Whether these are in Huffman codes, as in nearly all files."""
        return self.has_blocks and self.process not in ARITHMETIC

    @property
    def is_progressive(self) -> bool:
        return self.process in {b'\xc2', b'\xca'}

    @cached_property
    def unit(self) -> tuple[int, int]:
        """Rows and columns of pixels of a unit (MCU) of all components."""
        across, down = zip(*self.factors.values(), strict=True)
        return 8 * max(down), 8 * max(across)

    @cached_property
    def factors(self) -> dict[int, tuple[int, int]]:
        """How finely each component is sampled, across and down, by its identifier."""
        return {
            number: (max(factor >> 4, 1), max(factor & 15, 1))
            for number, factor in zip(self.frame[6::3], self.frame[7::3], strict=True)
        }

    def units(self, scan: Scan) -> tuple[int, int]:
        """Rows and columns of units (MCUs) in a scan."""
        rows, columns = self.unit
        height, width = (int.from_bytes(self.frame[i : i + 2], 'big') for i in (1, 3))
        across, down = self.factors.get(scan.components[0], (1, 1))
        if len(scan.components) > 1:
            return -(-height // rows), -(-width // columns)
        # Alone, a component has no blocks beyond its edges.
        return -(-height * down // rows), -(-width * across // columns)


class _Walk:
    """A decoder's way through the markers of a file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.segments: list[Segment] = []
        self.scans: list[Scan] = []
        self.strays: list[Stray] = []
        self.interval = 0

    def go(self) -> int:
        """From the first marker on; returns where that of the end lies, or -1."""
        position = 2
        while len(self.segments) + len(self.strays) < _MOST_PARTS:
            mark = _MARKER.search(self.data, position)
            if mark is None:
                break
            start, code = mark.start(), self.data[mark.start() + 1]
            between = len(self.data[position:start].rstrip(b'\xff'))
            if between:
                self.strays.append(Stray(position, None, between, False))
            if code == END_OF_IMAGE[0]:
                return start
            if code in _WITHOUT_LENGTH:
                self.strays.append(Stray(start, code, 2, False))
                position = start + 2
                continue
            end = start + 2 + int.from_bytes(self.data[start + 2 : start + 4], 'big')
            if not start + 4 <= end <= len(self.data):
                break
            segment = Segment(bytes([code]), self.data[start + 4 : end], start, end)
            self.segments.append(segment)
            position = self._scan(segment) if code == START_OF_SCAN[0] else end
            if code == RESTART_INTERVAL[0]:
                self.interval = int.from_bytes(segment.content[:2], 'big')
        return -1

    def _scan(self, segment: Segment) -> int:
        """Note the coded data behind the header of a scan; returns where they end."""
        header, start = segment.content, segment.end
        if len(header) < 6 or len(header) != 4 + 2 * header[0]:  # decoders refuse it
            return start
        first = _MARKER.search(self.data, start)
        plain = first is not None and self.data[first.start() + 1] in _BEHIND_A_SCAN
        stop = first.start() if first is not None and plain else self._end_of_coded_data(start)
        end = stop
        while end > start and self.data[end - 1] == 0xFF:  # any number may fill
            end -= 1
        restarts: np.ndarray = np.zeros(0, np.int64)
        numbers: np.ndarray = np.zeros(0, np.uint8)
        if not plain:
            values = np.frombuffer(self.data, np.uint8, end - start, start)
            behind = values[1:]
            at = np.flatnonzero((values[:-1] == 0xFF) & (behind >= 0xD0) & (behind <= 0xD7))
            restarts, numbers = start + at, behind[at] - 0xD0
        self.scans.append(Scan(header, self.interval, start, end, restarts, numbers))
        return stop

    def _end_of_coded_data(self, position: int) -> int:
        while len(self.strays) < _MOST_PARTS:
            mark = _NO_RESTART.search(self.data, position)
            if mark is None:
                break
            if self.data[mark.start() + 1] in _BEHIND_A_SCAN:
                return mark.start()
            self.strays.append(Stray(mark.start(), self.data[mark.start() + 1], 2, True))
            position = mark.start() + 2
        return len(self.data)


def structure_of(data: bytes) -> Structure:
    """Take a JPEG apart; what is broken ends it, nothing raises."""
    walk = _Walk(data)
    end = walk.go()
    frame = next((each for each in walk.segments if each.marker in FRAMES), None)
    content, process = (b'', b'') if frame is None else (frame.content, frame.marker)
    return Structure(content, process, walk.segments, walk.scans, walk.strays, end)
