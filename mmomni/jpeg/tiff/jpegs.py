"""The JPEGs inside of a TIFF, which have compression histories of their own.

A strip or tile of a TIFF with JPEG compression is a JPEG, but for tables that all of them share.
"""

from typing import NamedTuple

from mmomni.jpeg.stream import FRAMES, START, START_OF_SCAN, segments

from .layout import Layout, pieces_of
from .tags import Coding, Meaning, Tag

BLOCK = 8
_OLD_PLACES = ((Tag.JPEG_STREAM, Tag.JPEG_STREAM_SIZE), (Tag.STRIPS, Tag.STRIP_SIZES))
"""Where a TIFF of the old style may have a whole JPEG, and how long that is."""


class Part(NamedTuple):
    """A JPEG with all its tables, and which part of the picture it is.

    Attributes:
        top: The row where it begins.
        left: The column.
        size: Width and height, which may reach beyond the edges of the picture.
    """

    stream: bytes
    top: int
    left: int
    size: tuple[int, int]


def is_jpeg_inside(layout: Layout) -> bool:
    """Whether a picture is made of JPEGs."""
    return layout.compression in (Coding.JPEG, Coding.OLD_JPEG)


def obstacle_to_parts(layout: Layout) -> str:
    """Why the first components of the JPEGs of a picture are not its luma; empty if they are."""
    if layout.photometric == Meaning.WHITE_IS_ZERO and layout.compression == Coding.JPEG:
        return 'JPEG in a TIFF of which the negative is stored'
    luma_first = layout.photometric in (Meaning.BLACK_IS_ZERO, Meaning.YCBCR)
    if layout.compression == Coding.JPEG and not luma_first:
        return 'JPEG in a TIFF without luma, of colours as they are'
    if layout.compression == Coding.OLD_JPEG:  # whose strips say nothing of a whole stream
        return (
            'JPEG of the old style in a TIFF, not as a whole stream'
            if old_stream(layout) is None
            else ''
        )
    across, down = layout.pieces_across_and_down
    if (across > 1 and layout.piece[0] % BLOCK) or (down > 1 and layout.piece[1] % BLOCK):
        size = f'{layout.piece[0]} x {layout.piece[1]}'
        return f'JPEG in a TIFF in parts of {size}, which divide blocks of {BLOCK} pixels'
    return ''


def parts_of(layout: Layout) -> list[Part]:
    """The JPEGs of a picture for which :func:`obstacle_to_parts` finds nothing.

    Of separate planes, those of the first one.

    Raises:
        ValueError: Some lie beyond the end of the file, or are no JPEGs.
    """
    if layout.compression == Coding.OLD_JPEG:
        return [Part(old_stream(layout) or b'', 0, 0, layout.size)]
    tables, across = layout.directory.content(Tag.JPEG_TABLES), layout.pieces_across_and_down[0]
    found = []
    for index, piece in enumerate(pieces_of(layout)):
        if not piece.startswith(START[:2]):
            raise ValueError(f'its strip or tile {index} is no JPEG')
        row, column = divmod(index, across)
        stream = tables.removesuffix(b'\xff\xd9') + piece[2:] if tables else piece
        found.append(Part(stream, row * layout.piece[1], column * layout.piece[0], layout.piece))
    return found


def old_stream(layout: Layout) -> bytes | None:
    """The JPEG of a TIFF of the old style, if it is a whole one of the size of the picture."""
    directory = layout.directory
    for place, length in _OLD_PLACES:
        if len(directory.numbers(place)) == 1:
            start = directory.number(place)
            size = directory.number(length) or len(directory.data) - start
            stream = directory.data[start : start + size]
            if _size_of(stream) == layout.size:
                return stream
    return None


def _size_of(stream: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG that has a scan."""
    if not stream.startswith(START):
        return None
    size = None
    try:
        for segment in segments(stream):
            if segment.marker in FRAMES and len(segment.content) >= 6:
                height, width = (int.from_bytes(segment.content[i : i + 2], 'big') for i in (1, 3))
                size = width, height
            elif segment.marker == START_OF_SCAN:
                return size
    except ValueError:
        pass
    return None
