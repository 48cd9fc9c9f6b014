"""Restart markers of a JPEG: those that are due, and those that are there."""

from collections.abc import Iterator

import numpy as np

from .structure import Scan, Structure


def wrong_restarts(structure: Structure) -> Iterator[str]:
    """What is wrong with them in the first scan of which anything is, in words."""
    if not structure.has_blocks:
        return
    for scan in structure.scans:
        rows, columns = structure.units(scan)
        due = -(-rows * columns // scan.interval) - 1 if scan.interval else 0
        what = _wrong(scan, max(due, 0))
        if what:
            yield what
            return


def _wrong(scan: Scan, due: int) -> str:
    there = len(scan.numbers)
    # Some encoders write one more, right in front of the end, which nobody reads.
    if there == due + 1 and due and scan.restarts[-1] + 2 == scan.end:
        there -= 1
    common = min(there, due)
    differ = scan.numbers[:common] != np.arange(common) % 8
    if there == due and not differ.any():
        return ''
    first = int(np.argmax(differ)) if differ.any() else common
    if first < len(scan.restarts):
        at = f'number {scan.numbers[first]} at byte {scan.restarts[first]:,}'
        where = f'{at} where {first % 8 if first < due else "none"} is due'
    else:
        where = 'the last ones are missing'
    return (
        f'its restart markers are wrong ({there:,} instead of {due:,}; {where}): blocks from about '
        f'{100 * first / (due + 1):.0f} % of the picture on may be shifted or made up'
    )
