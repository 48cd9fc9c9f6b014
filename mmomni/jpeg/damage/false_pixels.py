"""What markers, tables and coded bytes of a JPEG tell of pixels that nobody saved."""

from collections.abc import Iterator

from .ending import are_read, missing_coefficients
from .restarts import wrong_restarts
from .scan_tables import Tables, scans_with_tables, zero_steps, zeros_are_detail
from .structure import Scan, Structure

_LOST_SECTORS = (bytes(32), b'\xff' * 32)
"""The least of them: 256 zero bits are detail of more than a block, and 0xff is no data at all."""
_NAMES = {0x00: 'zero', 0xFF: '0xff'}


def false_pixels(data: bytes, structure: Structure) -> Iterator[str]:
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
    held = {number for scan in structure.scans for number in scan.components}
    gone = [number for number in missing if number not in held]
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
            f'coded data at {share} of them{and_more(found)}: what follows is damaged or made up'
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


def percent(share: float) -> str:
    """A share of 0 to 1 for people."""
    return f'about {share:.0%}'.replace('%', ' %') if share >= 0.01 else 'less than 1 %'


def _place(structure: Structure, position: int) -> str:
    """How far into the coded data a position is."""
    lengths = [scan.end - scan.start for scan in structure.scans]
    before = sum(
        min(max(position - scan.start, 0), length)
        for scan, length in zip(structure.scans, lengths, strict=True)
    )
    return percent(before / max(sum(lengths), 1))


def and_more(found: list) -> str:
    """That the first of several was named, and how many there are besides."""
    return f' (and {len(found) - 1:,} more)' if len(found) > 1 else ''
