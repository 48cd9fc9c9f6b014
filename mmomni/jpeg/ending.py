"""Whether a JPEG lacks its end, part of its picture, or both."""

import re
from typing import Any

import numpy as np

from .opening import open_image
from .stream import END_OF_IMAGE, FRAMES, START, START_OF_SCAN, segments

_END = b'\xff' + END_OF_IMAGE
_RESTARTS = (b'', *(bytes([0xFF, number]) for number in range(0xD0, 0xD8)))
_FILLERS = tuple(
    b''.join(restart + bits * 64 for restart in _RESTARTS) for bits in (b'\0', b'\x55', b'\xaa')
)
"""Bits of no picture: whoever still waits for some, or for a restart, makes something of them."""
_OTHER_MARKER = re.compile(rb'\xff[^\x00\xd0-\xd7]')


def lacks_its_end(data: bytes) -> bool:
    """Whether ``data`` is a JPEG without the marker of its end: cut, or merely not closed."""
    return not data.endswith(_END) and _end_of_picture(data) == -1


def with_its_end(data: bytes) -> bytes | None:
    """A JPEG that lacks nothing but its last marker (two bytes), with it; ``None`` for all others.

    No decoder tells such a file from one that lacks blocks, for which it makes up grey ones. But
    bits that nobody waits for change no pixel.
    """
    if not lacks_its_end(data) or not _has_all_scans(data):
        return None
    data = data.removesuffix(b'\xff')
    pixels = _decoded(data + _END)
    whole = pixels is not None and all(
        np.array_equal(pixels, _decoded(data + filler + _END)) for filler in _FILLERS
    )
    return data + _END if whole else None


def ends_early(data: bytes) -> bool:
    """Whether a JPEG has its end, but in front of it not the data of all its pixels.

    A decoder makes up what is missing, grey as a rule, and says nothing. But of other bits in that
    place it makes other pixels, while bits behind a whole picture change none.
    """
    end = _end_of_picture(data)
    if end is None or end < 0:
        return False
    pixels = _decoded(data)
    return pixels is not None and not all(
        np.array_equal(pixels, _decoded(data[:end] + filler + data[end:])) for filler in _FILLERS
    )


def _end_of_picture(data: bytes) -> int | None:
    """Where the marker of the first picture's end lies; -1: there is none; ``None``: no JPEG."""
    if not data.startswith(START):
        return None
    try:
        scan = next(found for found in segments(data) if found.marker == START_OF_SCAN)
    except ValueError:
        return None
    return data.find(_END, scan.end)  # which no coded data hold


def _decoded(data: bytes) -> Any:
    """``uint8`` (H, W) or (H, W, C), or ``None``, which no array equals.

    By Pillow, because OpenCV prints a line on "corrupt data" for the fillers of every whole file.
    """
    try:
        with open_image(data) as image:
            return np.array(image)
    except Exception:  # noqa: BLE001  (decoders raise whatever a broken file makes them)
        return None


def _has_all_scans(data: bytes) -> bool:
    """Whether each coefficient of each component came in all its bits, the last ones at the end.

    A progressive file can end between two scans, and still be whole to a decoder.
    """
    missing: dict[int, set[int]] = {}
    scan = 0
    try:
        for marker, content, _, end in segments(data):
            if marker in FRAMES:
                missing = {component: set(range(64)) for component in content[6::3]}
            elif marker == START_OF_SCAN:
                scan = end
                first, last, bits = content[-3:]
                if bits % 16 == 0:  # none is left to refine
                    for component in content[1 : 1 + 2 * content[0] : 2]:
                        missing.get(component, set()).difference_update(range(first, last + 1))
    except ValueError:  # there is no further segment
        pass
    # Behind any other marker no decoder waits for bits, though it may have waited before.
    ends_in_scan = scan > 0 and not _OTHER_MARKER.search(data, scan)
    return ends_in_scan and bool(missing) and not any(missing.values())
