"""What is wrong with a JPEG or TIFF that can be decoded all the same, in words for people.

Decoders make up what is missing and pass over what they do not understand, and say nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

import numpy as np

from mmomni.jpeg.codec import ChannelOrder, ImageReadError, decode
from mmomni.jpeg.kinds import unusual_kind
from mmomni.jpeg.stream import START
from mmomni.jpeg.tiff.directories import is_tiff
from mmomni.jpeg.tiff.pixels import jpegs_in
from mmomni.utils.quiet import (
    note_of_words,
    without_words_of_decoders,
    words_of_wrong_pixels,
)

from .ending import (
    closed,
    decoded,
    ends_grey,
    lacks_its_end,
    left_over,
    missing_share,
    with_its_end,
)
from .false_pixels import and_more, false_pixels, percent
from .scan_tables import lacks_codes, redefined
from .structure import Structure, structure_of
from .trailing import what_follows

BROKEN_METADATA = 'broken application data (as JFIF, Adobe, profile) in it were passed over'
BROKEN_EXIF = 'its EXIF cannot be read: how the photo is turned is not known'
_MOST_REMEMBERED = 2**20
_known_whole: set[int] = set()


class Flaw(NamedTuple):
    """One thing that is wrong.

    Attributes:
        text: What it is, where, and what it means.
        falsifies: Whether pixels are not those that were saved, so that nothing can be learnt
            from the file.
    """

    text: str
    falsifies: bool


def examined(data: bytes) -> tuple[bytes, list[Flaw]]:
    """What to decode of a file, and what is wrong with it, which is to be told.

    A JPEG without the marker of its end gets it, be its picture whole or cut, unless nothing of the
    picture is there: then it stays what no decoder takes.
    """
    if not lacks_its_end(data):
        return data, flaws_of(data)
    whole = with_its_end(data)
    lacking = 'part of the picture may be, too' if whole is None else 'the picture is whole'
    ended = whole or closed(_without_torn_segment(data))
    flaws = flaws_of(ended)
    # What is known to be false says more than that something may be.
    unknown = whole is None and not any(flaw.falsifies for flaw in flaws)
    end = Flaw(f'its last two bytes, the end of a JPEG, are missing; {lacking}', unknown)
    return ended if whole or _holds_part(ended) else data, [end, *flaws]


def _without_torn_segment(data: bytes) -> bytes:
    """Without the start of a segment behind a scan, which decoders would wait for."""
    structure = structure_of(data)
    if not structure.scans:
        return data
    end = max(structure.scans[-1].end, structure.segments[-1].end)
    return data[:end] if data[end : end + 1] == b'\xff' else data


def _holds_part(data: bytes) -> bool:
    """Whether at least a unit (MCU) of a JPEG that ends early is there."""
    structure, pixels = structure_of(data), decoded(data)
    if pixels is None or not any(scan.end > scan.start for scan in structure.scans):
        return False
    # A scan that ends at once leaves what those before it made.
    return len(structure.scans) > 1 or missing_share(data, structure, pixels) < 1


def flaws_of(data: bytes) -> list[Flaw]:
    """All that is wrong with a JPEG, which is decoded three times, or with a TIFF.

    Of a TIFF, only what falsifies it: the first of the JPEGs that it is made of that is not as it
    was saved, else what libtiff says in decoding. Of other files nothing is known.
    """
    if not data.startswith(START):
        return [*islice(_of_tiff(data), 1)] if is_tiff(data) else []  # the rest is not decoded
    structure = structure_of(data)
    pixels = decoded(data)
    found = [*_of_end(data, structure, pixels), *false_pixels(data, structure)]
    return [Flaw(text, True) for text in found] + [
        Flaw(text, False) for text in _harmless(data, structure, pixels, not found)
    ]


def _of_tiff(data: bytes) -> Iterator[Flaw]:
    for number, stream in enumerate(jpegs_in(data), 1):
        for flaw in flaws_of(stream):
            if flaw.falsifies:
                text = f'of the JPEGs that it is made of, number {number}: {flaw.text}'
                yield Flaw(text, True)
    with without_words_of_decoders() as words, suppress(ImageReadError):
        decode(data)  # which does not fail where a fax has a code that there is none of
    for text in note_of_words(words_of_wrong_pixels(words), ()):
        yield Flaw(f'{text}; pixels may be made up, and what is seen in them is no evidence', True)


def has_false_pixels(data: bytes) -> bool:
    """Whether pixels of a file, be it cut, are not those that were saved; it is decoded."""
    return any(flaw.falsifies for flaw in examined(data)[1])


def decode_whole(data: bytes, name: str, channel_order: ChannelOrder = 'rgb') -> np.ndarray:
    """Decode an image to learn from it: as :func:`mmomni.jpeg.decode`, but nothing made up.

    Raises:
        ImageReadError: It cannot be decoded, or as in :func:`refuse_without_end` and
            :func:`check_whole`.
    """
    refuse_without_end(data, name)
    pixels = decode(data, name, channel_order)
    check_whole(data, name, pixels)
    return pixels


def check_whole(data: bytes, name: str, pixels: np.ndarray) -> None:
    """Refuse a file whose pixels were made up or erased in decoding.

    For training, which reads a file many times: it takes 4 to 13 % of the time of decoding it.
    Where the last unit (MCU) is grey, and of each file with several scans or with restarts, that is
    decoded twice more, once in a process, and so is a TIFF made of JPEGs; another TIFF once more. A
    last unit that alone is made up is not looked for.

    Args:
        data: The file, which may be neither JPEG nor TIFF: of others nothing is known.
        name: What an error message calls it.
        pixels: What was decoded, ``uint8`` (H, W, 3).

    Raises:
        ImageReadError: It is such a file.
    """
    if data.startswith(START):
        structure = structure_of(data)
        found = next(false_pixels(data, structure), None)
        if found is None and _may_end_early(structure, pixels):
            found = _once(data, lambda: next(_of_end(data, structure, decoded(data)), None))
    elif is_tiff(data):
        found = _once(data, lambda: next((flaw.text for flaw in flaws_of(data)), None))
    else:
        return
    if found is not None:
        raise ImageReadError(f'{name}: {damaged_text(found)}')


def _once(data: bytes, look: Callable[[], str | None]) -> str | None:
    """What is found; nothing is looked for again in a file that was found whole."""
    key = hash(data)
    if key in _known_whole:
        return None
    found = look()
    if found is None and len(_known_whole) < _MOST_REMEMBERED:
        _known_whole.add(key)
    return found


def whole_but_odd(data: bytes, name: str) -> tuple[str, ...]:
    """What is odd in a file without touching its pixels.

    Raises:
        ImageReadError: Its pixels were made up or erased in decoding.
    """
    flaws = flaws_of(data)
    false = next((flaw.text for flaw in flaws if flaw.falsifies), None)
    if false is not None:
        raise ImageReadError(f'{name}: {damaged_text(false)}')
    return tuple(flaw.text for flaw in flaws)


def refuse_without_end(data: bytes, name: str) -> None:
    """Refuse a JPEG that lacks its end in the words for what is there of its picture.

    Raises:
        ImageReadError: It is one of which something can be decoded; of others, decoding tells.
    """
    if not lacks_its_end(data):
        return
    ended, flaws = examined(data)
    if ended is not data:
        worst = next((flaw for flaw in flaws if flaw.falsifies), flaws[0])
        raise ImageReadError(f'{name}: {damaged_text(worst.text)}')


def damaged_text(flaw: str) -> str:
    """The reason to refuse a file that was decoded."""
    return f'expected a whole image, got a damaged one: {flaw}; replace or remove the file'


def _of_end(data: bytes, structure: Structure, pixels: np.ndarray | None) -> Iterator[str]:
    if pixels is None and structure.is_huffman and structure.scans and not unusual_kind(data):
        yield (
            'its data are broken: one of two decoders refuses them, and what the other made of '
            'them is no evidence'
        )
    share = missing_share(data, structure, pixels)
    if share:
        yield (
            f'its data end before its picture does: {percent(share)} of its blocks are missing or '
            'damaged and were made up in decoding, so what is seen there is no evidence'
        )


def _harmless(
    data: bytes, structure: Structure, pixels: np.ndarray | None, whole: bool
) -> Iterator[str]:
    """What is odd and changes no pixel, or may have no meaning at all."""
    count = left_over(data, structure, pixels) if whole else 0
    if count:
        yield (
            f'at least {count:,} bytes of its coded data are left over behind its last block: rows '
            'that its header hides, padding of a camera, or damage farther up'
        )
    between = [stray for stray in structure.strays if not stray.in_scan]
    for stray in between[:1]:
        what = (
            f'{stray.length:,} stray byte(s) at byte {stray.position:,}, outside of all segments'
            if stray.marker is None
            else f'a stray marker (0x{stray.marker:02x}) at byte {stray.position:,}'
        )
        yield f'{what}{and_more(between)}; decoders pass over them'
    for table in redefined(structure):
        yield f'its header defines {table} twice and not alike; decoders take the last'
    if lacks_codes(structure):
        yield 'it lacks Huffman tables, as frames of a video do; decoders take the standard ones'
    follows = what_follows(data, structure)
    if follows:
        yield f'{follows}: no part of the picture, and not looked at'


def _may_end_early(structure: Structure, pixels: np.ndarray) -> bool:
    """Whether the last unit (MCU) is grey, as decoders make up what is missing.

    In several scans, between restarts, in four colours and without an end that cannot be seen.
    """
    if not structure.is_huffman or len(structure.scans) != 1 or structure.end < 0:
        return structure.is_huffman
    (scan,) = structure.scans
    return bool(len(scan.restarts)) or len(scan.components) > 3 or ends_grey(structure, pixels)
