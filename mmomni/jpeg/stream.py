"""The segments of a JPEG. Letters of the standard (ITU-T T.81, annex B) spelt out."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

# Markers: the byte after 0xff.
START = b'\xff\xd8\xff'
START_OF_SCAN, END_OF_IMAGE, TABLES = b'\xda', b'\xd9', b'\xdb'
JFIF, EXIF, ADOBE = b'\xe0', b'\xe1', b'\xee'
FRAMES = {bytes([m]) for m in range(0xC0, 0xD0)} - {b'\xc4', b'\xc8', b'\xcc'}
INFORMATION = {bytes([m]) for m in (*range(0xE0, 0xF0), 0xFE)}
_WITH_LENGTH = re.compile(rb'\xff[^\x00\x01\xd0-\xd7\xff]')
"""A marker that is no restart, and none of the fill bytes of which there may be millions."""
LEAST_OF_COLOUR = {JFIF: (b'JFIF\0', 14), ADOBE: (b'Adobe', 12)}
"""How application data that say what colours mean begin, and the bytes from which on libjpeg
believes them."""
ZIGZAG = tuple(
    8 * row + column
    for row, column in sorted(
        np.ndindex(8, 8),
        key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]),
    )
)
"""Where the entries of a quantisation table lie, in their order in the file."""


class Segment(NamedTuple):
    """A marker (the byte after 0xff) and its content, which lie from ``start`` to ``end``."""

    marker: bytes
    content: bytes
    start: int
    end: int


class BareStream(NamedTuple):
    """A JPEG without application data and comments, so that every reader sees the same header.

    Attributes:
        data: The tables and the scans.
        frame: Content of the frame header: precision, height, width, components.
        process: Marker of the frame header, which says how samples are coded.
        colour: JFIF and Adobe segments that libjpeg believes, by their markers.
    """

    data: bytes
    frame: bytes
    process: bytes
    colour: dict[bytes, bytes]

    def factors(self) -> list[tuple[int, int]]:
        """How finely each component is sampled, across and down."""
        return [divmod(factor, 16) for factor in self.frame[7::3]]

    def luma_blocks(self) -> tuple[int, int]:
        """Rows and columns of blocks of the first component."""
        height, width = (int.from_bytes(self.frame[i : i + 2], 'big') for i in (1, 3))
        factors = self.factors()
        if len(factors) > 4:
            raise ValueError(f'{len(factors)} components')
        across, down = (max(axis) * 8 for axis in zip(*factors, strict=True))
        return -(-height * factors[0][1] // down), -(-width * factors[0][0] // across)


def segments(data: bytes) -> Iterator[Segment]:
    """All segments from the first to the end of the image, what lies between them passed over.

    Raises:
        ValueError: Where the next one would begin, there is none.
    """
    position = 2
    while True:
        found = _WITH_LENGTH.search(data, position)
        if found is None or found[0][1:] == END_OF_IMAGE:
            raise ValueError('it holds no scan')
        marker, position = found[0][1:], found.start()
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], 'big')
        if not position + 4 <= end <= len(data):
            raise ValueError(f'its segment at byte {position} has no possible length')
        yield Segment(marker, data[position + 4 : end], position, end)
        position = end


def bare_stream(data: bytes) -> BareStream:
    """Take the segments up to the first scan apart, as libjpeg does.

    Raises:
        ValueError: They are no segments, or there is no scan.
    """
    kept, frame, process, colour = [data[:2]], b'', b'', {}
    for marker, content, start, end in segments(data):
        if marker in FRAMES:
            frame, process = content, marker
        if marker not in INFORMATION:
            kept.append(data[start:end])
        elif tells_colours(marker, content):
            colour[marker] = content
        if marker == START_OF_SCAN:
            break
    return BareStream(b''.join([*kept, data[end:]]), frame, process, colour)


def scan_begins_within(data: bytes, most: int) -> bool:
    """Whether the first scan of a JPEG begins within so many bytes, or never."""
    try:
        for segment in segments(data):
            if segment.start > most:
                return False
            if segment.marker == START_OF_SCAN:
                break
    except ValueError:  # who decodes it says that
        pass
    return True


def tells_colours(marker: bytes, content: bytes) -> bool:
    """Whether libjpeg takes a segment for JFIF's or Adobe's word on the colours."""
    begin, least = LEAST_OF_COLOUR.get(marker, (b'', 1 << 16))
    return content.startswith(begin) and len(content) >= least


def without_metadata(data: bytes, keep_exif: bool) -> bytes:
    """The same picture in the same colours, without comments and other application data.

    Args:
        data: A JPEG.
        keep_exif: Keep the segments of EXIF and XMP.

    Raises:
        ValueError: It is no sequence of segments with a scan.
    """
    kept = [data[:2]]
    for marker, content, start, end in segments(data):
        exif = keep_exif and marker == EXIF
        if exif or marker not in INFORMATION or tells_colours(marker, content):
            kept.append(data[start:end])
        if marker == START_OF_SCAN:
            break
    return b''.join([*kept, data[end:]])


def luma_table(data: bytes) -> np.ndarray:
    """Quantisation steps of the first component: those in force where its first scan begins.

    A decoder latches them there. The same slot may be filled anew for the scans of others.

    Returns:
        ``uint16`` (8, 8), row = vertical frequency.

    Raises:
        ValueError: There is no such table or scan.
    """
    frame, slots = b'', dict[int, bytes]()
    for marker, content, _, _ in segments(data):
        if marker in FRAMES:
            frame = content
        elif marker == TABLES:
            slots.update(raw_tables(content))
        elif marker == START_OF_SCAN and frame[6:7] in content[1 : 1 + 2 * content[0] : 2]:
            break
    if frame[8] not in slots:
        raise ValueError(f'no quantisation table {frame[8]}')
    return table_of(slots[frame[8]])


def raw_tables(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Slot and steps of each quantisation table in a segment: 64 bytes, or 128 of 16 bits.

    Raises:
        ValueError: The last one is not whole.
    """
    while content:
        precision, slot = divmod(content[0], 16)
        steps = content[1 : 129 if precision else 65]
        if len(steps) != (128 if precision else 64):
            raise ValueError(f'{len(steps)} bytes of quantisation table {slot}')
        yield slot, steps
        content = content[1 + len(steps) :]


def table_of(steps: bytes) -> np.ndarray:
    """Steps of :func:`raw_tables`, row = vertical frequency; ``uint16`` (8, 8)."""
    table = np.zeros(64, np.uint16)
    table[list(ZIGZAG)] = np.frombuffer(steps, np.uint8 if len(steps) == 64 else '>u2')
    return table.reshape(8, 8)
