"""Whether a JPEG lacks its end, part of its picture, or both."""

from typing import Any

import numpy as np

from mmomni.jpeg.opening import open_image
from mmomni.jpeg.stream import END_OF_IMAGE, START, START_OF_SCAN, segments

from .structure import Structure, structure_of

_END = b'\xff' + END_OF_IMAGE
_BITS = b'\xaa' * 64
"""Bits of no picture: whoever still waits for some makes something of them. A decoder without any
reads zeros, and these begin with a one."""
_FILLER = _BITS + b''.join(bytes([0xFF, number]) + _BITS for number in range(0xD0, 0xD8))
"""Also for those who wait for a restart."""
_OTHER_BITS = (b'\x55', b'\xaa')
_ALL = (1 << 64) - 1
_LEAST_LEFT_OVER = 16
_MADE_UP = range(126, 130)
"""Colours of a block without coefficients."""
_BLEED = 2
"""Pixels by which colours that are stored coarsely reach into the next unit."""


def lacks_its_end(data: bytes) -> bool:
    """Whether ``data`` is a JPEG without the marker of its end: cut, or merely not closed."""
    return not data.endswith(_END) and _end_of_picture(data) == -1


def with_its_end(data: bytes) -> bytes | None:
    """A JPEG that lacks nothing but its last marker (two bytes), with it; ``None`` for all others.

    No decoder tells such a file from one that lacks blocks, for which it makes up grey ones. But
    bits that nobody waits for change no pixel.
    """
    if not lacks_its_end(data):
        return None
    data = closed(data)
    structure = structure_of(data)
    whole = (
        structure.is_huffman
        and _ends_in_scan(structure)
        and not missing_coefficients(structure)
        and missing_share(data, structure, decoded(data)) == 0
    )
    return data if whole else None


def decoded(data: bytes) -> Any:
    """``uint8`` (H, W) or (H, W, C), or ``None``, which no array equals.

    By Pillow, because OpenCV prints a line on "corrupt data" for the fillers of every whole file.
    """
    try:
        with open_image(data) as image:
            return np.array(image)
    except Exception:  # noqa: BLE001  (decoders raise whatever a broken file makes them)
        return None


def closed(data: bytes) -> bytes:
    """A JPEG without the marker of its end, with it."""
    return data.removesuffix(b'\xff') + _END


def missing_share(data: bytes, structure: Structure, pixels: Any) -> float:
    """How much of the picture of a JPEG is not in its data, 0 to 1.

    A decoder makes up what is missing, grey as a rule, and says nothing. But of other bits in that
    place it makes other pixels, while bits behind a whole scan change none. Nothing can be said of
    arithmetic coding, which leaves out its last zeros, nor of what is not decoded: 0.

    Args:
        data: The file.
        structure: What it is made of.
        pixels: What :func:`decoded` makes of it.
    """
    if pixels is None or not structure.is_huffman or not structure.scans:
        return 0.0
    other = decoded(_filled(data, structure))
    if other is None or np.array_equal(pixels, other):
        return 0.0
    return _share(pixels, other, structure)


def left_over(data: bytes, structure: Structure, pixels: Any) -> int:
    """At least so many bytes of the coded data of a JPEG that no decoder reads, 0 for few or none.

    Other bytes in their place change no pixel. Arguments as of :func:`missing_share`.
    """
    if structure.is_progressive or not structure.is_huffman or not structure.scans:
        return 0
    scan = structure.scans[-1]
    last_row = (structure.units(scan)[0] - 1) * structure.unit[0]
    # Where all is grey, all bits can mean the same.
    if pixels is None or _is_made_up(pixels[max(last_row, 0) :]).all():
        return 0
    start = int(scan.restarts[-1]) + 2 if len(scan.restarts) else scan.start
    count, found = _LEAST_LEFT_OVER, 0
    while 2 * count < scan.end - start:
        at = scan.end - count
        at += data[at - 1] == 0xFF  # whose zero goes with it
        others = (decoded(data[:at] + bits * count + data[scan.end :]) for bits in _OTHER_BITS)
        if not all(np.array_equal(pixels, other) for other in others):
            break
        count, found = 2 * count, count
    return found


def ends_grey(structure: Structure, pixels: np.ndarray) -> bool:
    """Whether the last unit (MCU) of a scan may be grey, as decoders make up what is missing.

    ``pixels`` are of grey or three colours, ``uint8`` (H, W) or (H, W, C).
    """
    rows, columns = structure.units(structure.scans[-1])
    height, width = structure.unit
    last = pixels[max(rows - 1, 0) * height :, max(columns - 1, 0) * width :]
    rows, columns = last.shape[:2]
    if min(rows, columns) < 3:  # mixed with colours of the units beside it
        return True
    last = last[min(_BLEED, rows // 2) :, min(_BLEED, columns // 2) :]
    return bool((_is_made_up(last) & (last == last[:1, :1])).all())


def are_read(data: bytes, start: int, end: int) -> bool:
    """Whether a decoder makes something of these bytes of the coded data of a JPEG."""
    pixels = decoded(data)
    other = decoded(data[:start] + b'\xaa' * (end - start) + data[end:])
    return pixels is not None and not np.array_equal(pixels, other)


def missing_coefficients(structure: Structure) -> dict[int, int]:
    """Of each component of a JPEG, how many of its 64 coefficients no scan holds in all bits.

    Components of which nothing is missing are left out. A progressive file can end between two
    scans, and still be whole to a decoder.
    """
    there = dict.fromkeys(structure.frame[6::3], 0)  # a bit for each coefficient
    for scan in structure.scans:
        first, last, bits = scan.header[-3:] if structure.is_progressive else (0, 63, 0)
        if bits % 16 == 0:  # none is left to refine
            for component in scan.components:
                if component in there:
                    there[component] |= (1 << last + 1) - (1 << first)
    return {number: 64 - held.bit_count() for number, held in there.items() if held != _ALL}


def _end_of_picture(data: bytes) -> int | None:
    """Where the marker of the first picture's end lies; -1: there is none; ``None``: no JPEG."""
    if not data.startswith(START):
        return None
    try:
        scan = next(found for found in segments(data) if found.marker == START_OF_SCAN)
    except ValueError:
        return None
    return data.find(_END, scan.end)  # which no coded data hold


def _ends_in_scan(structure: Structure) -> bool:
    """Behind any other marker no decoder waits for bits, though it may have waited before."""
    if structure.end < 0 or structure.strays or not structure.scans:
        return False
    return structure.scans[-1].start > structure.segments[-1].start


def _filled(data: bytes, structure: Structure) -> bytes:
    """The file with more bits wherever a decoder may wait for some."""
    parts, position = [], 0
    strays = np.array([each.position for each in structure.strays if each.in_scan], np.int64)
    for scan in structure.scans:
        rows, columns = structure.units(scan)
        restarts = scan.restarts[: rows * columns]  # there cannot be more
        within = strays[(strays >= scan.start) & (strays < scan.end)]
        for at in np.sort(np.concatenate((restarts, within))).tolist():
            parts += [data[position:at], _BITS]
            position = at
        parts += [data[position : scan.end], _FILLER]
        position = scan.end
    return b''.join([*parts, data[position:]])


def _share(pixels: np.ndarray, other: np.ndarray, structure: Structure) -> float:
    """From the first unit that differs on; of a scan in parts, the units that are flat grey."""
    rows, columns = structure.unit
    differs = _units((pixels != other).reshape(*pixels.shape[:2], -1).any(axis=2), rows, columns)
    first = int(np.argmax(differs)) if differs.any() else differs.size - 1
    if len(structure.scans) == 1 and len(structure.scans[0].restarts):
        coloured = ~_is_made_up(pixels).reshape(*pixels.shape[:2], -1).all(axis=2)
        made_up = ~_units(np.asarray(coloured), rows, columns)
        made_up[:first] = False
        return max(int(made_up.sum()), 1) / differs.size
    return (differs.size - first) / differs.size


def _is_made_up(pixels: np.ndarray) -> np.ndarray:
    return (pixels >= _MADE_UP.start) & (pixels < _MADE_UP.stop)


def _units(flags: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Whether any pixel within each unit is set, but for its rim; in raster order."""
    height, width = flags.shape
    padded = np.zeros((-(-height // rows) * rows, -(-width // columns) * columns), bool)
    padded[:height, :width] = flags
    units = padded.reshape(padded.shape[0] // rows, rows, -1, columns)
    return units[:, _BLEED:-_BLEED, :, _BLEED:-_BLEED].any(axis=(1, 3)).ravel()
