"""Tables of a JPEG: those in force at each scan, and what is wrong with them."""

from collections.abc import Iterator
from typing import NamedTuple

from mmomni.jpeg.stream import START_OF_SCAN, TABLES, raw_tables

from .structure import HUFFMAN_TABLES, Scan, Structure

_SEQUENTIAL = {b'\xc0', b'\xc1'}


class Tables(NamedTuple):
    """Tables in force at a scan.

    Attributes:
        steps: Quantisation tables by slot, in the file's own bytes (64, or 128 of 16 bits).
        codes: Huffman tables by class (0: DC, 1: AC) and slot: numbers of codes, then values.
    """

    steps: dict[int, bytes]
    codes: dict[tuple[int, int], bytes]


def scans_with_tables(structure: Structure) -> Iterator[tuple[Scan, Tables]]:
    """All scans in their order, each with the tables in force where it begins."""
    scans = {scan.start: scan for scan in structure.scans}
    tables = Tables({}, {})
    for marker, content, _, end in structure.segments:
        if marker == TABLES:
            tables.steps.update(_steps_in(content))
        elif marker == HUFFMAN_TABLES:
            tables.codes.update(_codes_in(content))
        elif marker == START_OF_SCAN and end in scans:
            yield scans[end], tables


def zero_steps(structure: Structure) -> dict[int, int]:
    """How many quantisation steps of each component are 0, where any are; by its identifier.

    Those count that are in force where its first scan begins.
    """
    slots = dict(zip(structure.frame[6::3], structure.frame[8::3], strict=True))
    found: dict[int, int] = {}
    for scan, tables in scans_with_tables(structure):
        for component in scan.components:
            if component not in found and slots.get(component) in tables.steps:
                found[component] = _zeros_in(tables.steps[slots[component]])
    return {component: count for component, count in found.items() if count}


def redefined(structure: Structure) -> list[str]:
    """Tables that a header holds twice, with other content, as ``Huffman table 0 (AC)``."""
    steps, codes = dict[int, bytes](), dict[tuple[int, int], bytes]()
    found = []
    for marker, content, _, _ in structure.segments:
        if marker == START_OF_SCAN:
            break
        if marker == TABLES:
            for slot, table in _steps_in(content):
                if steps.setdefault(slot, table) != table:
                    found.append(f'quantisation table {slot}')
        elif marker == HUFFMAN_TABLES:
            for key, code in _codes_in(content):
                if codes.setdefault(key, code) != code:
                    found.append(f'Huffman table {key[1]} ({("DC", "AC")[key[0]]})')
    return list(dict.fromkeys(found))


def lacks_codes(structure: Structure) -> bool:
    """Whether a sequential JPEG has not all Huffman tables, so that decoders take standard ones."""
    if structure.process not in _SEQUENTIAL:
        return False
    return any(
        (kind, slot) not in tables.codes
        for scan, tables in scans_with_tables(structure)
        for both in scan.header[2 : 2 + 2 * scan.header[0] : 2]
        for kind, slot in enumerate(divmod(both, 16))
    )


def zeros_are_detail(scan: Scan, tables: Tables, progressive: bool) -> bool:
    """Whether many zero bits in a row stand for detail without end, as in no picture.

    The shortest code is zeros. Where it ends a block, a flat picture is all zeros.
    """
    first, _, refines = scan.header[-3:]
    if progressive and (first == 0 or refines > 15):
        return False
    slots = {both % 16 for both in scan.header[2 : 2 + 2 * scan.header[0] : 2]}
    values = [tables.codes[1, slot][16:17] for slot in slots if (1, slot) in tables.codes]
    return any(value and value[0] % 16 for value in values)


def _zeros_in(steps: bytes) -> int:
    if len(steps) == 64:
        return steps.count(0)
    return sum(high == low == 0 for high, low in zip(steps[::2], steps[1::2], strict=True))


def _steps_in(content: bytes) -> Iterator[tuple[int, bytes]]:
    try:
        yield from raw_tables(content)
    except ValueError:  # decoders refuse it
        return


def _codes_in(content: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    while len(content) >= 17:
        end = 17 + sum(content[1:17])
        yield divmod(content[0], 16), content[1:end]
        content = content[end:]
