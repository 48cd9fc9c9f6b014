"""What is wrong with a JPEG that can be decoded all the same, in words for people.

Decoders make up what is missing and pass over what they do not understand, and say nothing.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from .codec import ImageReadError
from .ending import (
    are_read,
    closed,
    decoded,
    ends_grey,
    lacks_its_end,
    left_over,
    missing_coefficients,
    missing_share,
    with_its_end,
)
from .kinds import unusual_kind
from .restarts import wrong_restarts
from .scan_tables import (
    Tables,
    lacks_codes,
    redefined,
    scans_with_tables,
    zero_steps,
    zeros_are_detail,
)
from .stream import START
from .structure import Scan, Structure, structure_of
from .tiff import is_tiff
from .tiff_pixels import jpegs_in
from .trailing import what_follows

BROKEN_METADATA = 'broken application data (as JFIF, Adobe, profile) in it were passed over'
BROKEN_EXIF = 'its EXIF cannot be read: how the photo is turned is not known'
_LOST_SECTORS = (bytes(32), b'\xff' * 32)
"""The least of them: 256 zero bits are detail of more than a block, and 0xff is no data at all."""
_NAMES = {0x00: 'zero', 0xFF: '0xff'}
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


def examined(data: bytes) -> tuple[bytes, list[str]]:
    """What to decode of a file, and notes for whoever looks at the result; none of no JPEG.

    A JPEG that lacks nothing but its last two bytes gets them.
    """
    if not lacks_its_end(data):
        return data, [flaw.text for flaw in flaws_of(data)]
    whole = with_its_end(data)
    lacking = 'part of the picture may be, too' if whole is None else 'the picture is whole'
    notes = [f'its last two bytes, the end of a JPEG, are missing; {lacking}']
    notes += [flaw.text for flaw in flaws_of(whole or closed(data))]
    return whole or data, notes


def flaws_of(data: bytes) -> list[Flaw]:
    """All that is wrong with a JPEG, which is decoded three times; nothing of other files.

    Of a TIFF made of JPEGs, what falsifies one of them.
    """
    if not data.startswith(START):
        return [
            Flaw(f'of the JPEGs that it is made of, number {number}: {flaw.text}', True)
            for number, stream in enumerate(jpegs_in(data), 1)
            for flaw in flaws_of(stream) if flaw.falsifies
        ][:1]  # fmt: skip
    structure = structure_of(data)
    pixels = decoded(data)
    found = [*_of_end(data, structure, pixels), *_of_pixels(data, structure)]
    return [Flaw(text, True) for text in found] + [
        Flaw(text, False) for text in _harmless(data, structure, pixels, not found)
    ]


def check_whole(data: bytes, name: str, pixels: np.ndarray) -> None:
    """Refuse a JPEG whose pixels were made up or erased in decoding.

    For training, which reads a file many times: it takes 4 to 13 % of the time of decoding it.
    Where the last unit (MCU) is grey, and of each file with several scans or with restarts, that is
    decoded twice more, once in a process, and so is a TIFF made of JPEGs. A last unit that alone is
    made up is not looked for.

    Args:
        data: The file, which may be no JPEG.
        name: What an error message calls it.
        pixels: What was decoded, ``uint8`` (H, W, 3).

    Raises:
        ImageReadError: It is such a file.
    """
    if data.startswith(START):
        structure = structure_of(data)
        found = next(_of_pixels(data, structure), None)
        if found is None and _may_end_early(structure, pixels):
            found = _once(data, lambda: next(_of_end(data, structure, decoded(data)), None))
    elif is_tiff(data):
        found = _once(data, lambda: next((flaw.text for flaw in flaws_of(data)), None))
    else:
        return
    if found is not None:
        raise ImageReadError(_damaged(name, found))


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
        raise ImageReadError(_damaged(name, false))
    return tuple(flaw.text for flaw in flaws)


def _damaged(name: str, flaw: str) -> str:
    """The reason to refuse a file that was decoded."""
    return f'{name}: expected a whole JPEG, got a damaged one: {flaw}; replace or remove the file'


def _percent(share: float) -> str:
    """A share of 0 to 1 for people."""
    return f'about {share:.0%}'.replace('%', ' %') if share >= 0.01 else 'less than 1 %'


def _of_end(data: bytes, structure: Structure, pixels: np.ndarray | None) -> Iterator[str]:
    if pixels is None and structure.is_huffman and structure.scans and not unusual_kind(data):
        yield (
            'its data are broken: one of two decoders refuses them, and what the other made of '
            'them is no evidence'
        )
    share = missing_share(data, structure, pixels)
    if share:
        yield (
            f'its data end before its picture does: {_percent(share)} of its blocks are missing or '
            'damaged and were made up in decoding, so what is seen there is no evidence'
        )


def _of_pixels(data: bytes, structure: Structure) -> Iterator[str]:
    """What markers and tables tell of false pixels."""
    if not structure.has_blocks:
        return
    yield from _missing_scans(structure)
    yield from _zero_steps(structure)
    yield from wrong_restarts(structure)
    yield from _interruptions(structure)
    yield from _lost_sectors(data, structure)


def _missing_scans(structure: Structure) -> Iterator[str]:
    missing = missing_coefficients(structure)
    if not structure.scans or not missing:
        return
    components = structure.frame[6::3]
    gone = [number for number, rest in missing.items() if rest == 64]
    if gone:
        names = ', '.join(str(1 + components.index(number)) for number in gone)
        yield f'no scan holds component {names} of its {len(components)}: colours were made up'
    elif len(missing) == len(components) and set(missing.values()) == {63}:
        yield (
            'its scans hold the mean of each block alone (DC): those of all detail (AC) are '
            'missing, and what the network looks for is in them'
        )
    else:
        yield (
            f'scans are missing: {max(missing.values())} of the 64 coefficients of each block are '
            f'not there, or not in all their bits (in {len(missing)} of {len(components)} '
            'components), so detail was made up in decoding'
        )


def _zero_steps(structure: Structure) -> Iterator[str]:
    for component, count in zero_steps(structure).items():
        number = 1 + structure.frame[6::3].index(component)
        yield (
            f'{count} of the 64 quantisation steps of component {number} are 0, which a JPEG must '
            'not have: that part of the picture was erased in decoding'
        )
        return


def _interruptions(structure: Structure) -> Iterator[str]:
    found = [stray for stray in structure.strays if stray.in_scan]
    for stray in found[:1]:
        share = _place(structure, stray.position)
        yield (
            f'a stray marker (0x{stray.marker:02x} at byte {stray.position:,}) interrupts its '
            f'coded data at {share} of them{_and_more(found)}: what follows is damaged or made up'
        )


def _lost_sectors(data: bytes, structure: Structure) -> Iterator[str]:
    scans = structure.scans
    if not structure.is_huffman or not scans:
        return
    for lost in _LOST_SECTORS:
        if data.find(lost, scans[0].start, scans[-1].end) < 0:  # quick
            continue
        for scan, tables in scans_with_tables(structure):
            start = data.find(lost, scan.start, scan.end)
            if start < 0:
                continue
            length = scan.end - start - len(data[start : scan.end].lstrip(lost[:1]))
            if lost[0] == 0 and not _zeros_are_damage(data, structure, scan, tables, start, length):
                continue
            yield (
                f'{length:,} bytes of its coded data are {_NAMES[lost[0]]} (from byte {start:,} '
                f'on, at {_place(structure, start)} of them), as a lost sector leaves: the picture '
                'is damaged from there on'
            )
            return


def _zeros_are_damage(
    data: bytes, structure: Structure, scan: Scan, tables: Tables, start: int, length: int
) -> bool:
    """They can be a flat picture, or padding behind its last block."""
    if not zeros_are_detail(scan, tables, structure.is_progressive):
        return False
    return start + length < scan.end or are_read(data, start + 8, scan.end)


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
        yield f'{what}{_and_more(between)}; decoders pass over them'
    for table in redefined(structure):
        yield f'its header defines {table} twice and not alike; decoders take the last'
    if lacks_codes(structure):
        yield 'it lacks Huffman tables, as frames of a video do; decoders take the standard ones'
    follows = what_follows(data, structure)
    if follows:
        yield f'{follows}: no part of the picture, and not looked at'


def _and_more(found: list) -> str:
    return f' (and {len(found) - 1:,} more)' if len(found) > 1 else ''


def _place(structure: Structure, position: int) -> str:
    """How far into the coded data a position is."""
    lengths = [scan.end - scan.start for scan in structure.scans]
    before = sum(
        min(max(position - scan.start, 0), length)
        for scan, length in zip(structure.scans, lengths, strict=True)
    )
    return _percent(before / max(sum(lengths), 1))


def _may_end_early(structure: Structure, pixels: np.ndarray) -> bool:
    """Whether the last unit (MCU) is grey, as decoders make up what is missing.

    In several scans, between restarts, in four colours and without an end that cannot be seen.
    """
    if not structure.is_huffman or len(structure.scans) != 1 or structure.end < 0:
        return structure.is_huffman
    (scan,) = structure.scans
    return bool(len(scan.restarts)) or len(scan.components) > 3 or ends_grey(structure, pixels)
