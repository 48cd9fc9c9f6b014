"""The segments of a JPEG. Letters of the standard (ITU-T T.81, annex B) spelt out."""

from typing import NamedTuple

# Markers: the byte after 0xff.
START_OF_SCAN = b'\xda'
FRAMES = {bytes([m]) for m in range(0xC0, 0xD0)} - {b'\xc4', b'\xc8', b'\xcc'}
INFORMATION = {bytes([m]) for m in (*range(0xE0, 0xF0), 0xFE)}
STANDALONE = {bytes([m]) for m in (0x00, 0x01, *range(0xD0, 0xD8), 0xFF)}


class BareStream(NamedTuple):
    """A JPEG without application data and comments, so that every reader sees the same header.

    Attributes:
        data: The tables and the scans.
        frame: Content of the frame header: precision, height, width, components.
    """

    data: bytes
    frame: bytes

    def luma_blocks(self) -> tuple[int, int]:
        """Rows and columns of blocks of the first component."""
        height, width = (int.from_bytes(self.frame[i : i + 2], 'big') for i in (1, 3))
        factors = [divmod(factor, 16) for factor in self.frame[7::3]]
        if len(factors) > 4:
            raise ValueError(f'{len(factors)} components')
        across, down = (max(axis) * 8 for axis in zip(*factors, strict=True))
        return -(-height * factors[0][1] // down), -(-width * factors[0][0] // across)


def bare_stream(data: bytes) -> BareStream:
    """Take the segments up to the first scan apart, as libjpeg does.

    Raises:
        ValueError: They are no segments, or there is no scan.
    """
    kept, frame, position = [data[:2]], b'', 2
    while True:
        position = data.find(b'\xff', position)
        marker = data[position + 1 : position + 2]
        if position < 0 or not marker:
            raise ValueError('it holds no scan')
        if marker in STANDALONE:
            position += 1
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], 'big')
        if not position + 4 <= end <= len(data):
            raise ValueError(f'its segment at byte {position} has no possible length')
        if marker in FRAMES:
            frame = data[position + 4 : end]
        if marker not in INFORMATION:
            kept.append(data[position:end])
        if marker == START_OF_SCAN:
            return BareStream(b''.join([*kept, data[end:]]), frame)
        position = end
