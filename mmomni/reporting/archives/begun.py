"""Which files a worker was at when it died: some kill every worker that reads them."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from mmomni.utils.files import whole_lines

MOST_DEATHS = 3
"""So many workers in a row may end while they are at a file; then it has failed."""
REASON = (
    f'expected an image that can be examined; {MOST_DEATHS} processes in a row ended while they '
    'were at it (a crash, or not enough memory); examine it alone with mmomni predict'
)


class Begun:
    """Notes of one shard, by the places of files in it; they outlive the worker.

    A line is appended before files are examined. The last line of an attempt that did not end
    names those that may have ended it.

    Attributes:
        suspects: Files at which a worker has ended.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = whole_lines(path)
        path.write_bytes(b''.join(written))  # without a last one that was torn
        lines = [json.loads(line) for line in written]
        ends = [line for line, after in pairwise([*lines, None]) if after is None and line]
        self.suspects = {number for numbers in ends for number in numbers}
        self._refused = _often_in_a_row(ends)
        self._path = path
        self._note(None)  # an attempt begins

    def begin(self, numbers: Sequence[int]) -> None:
        """Note the files that are now examined; none: what follows is no file's fault."""
        self._note(numbers)

    def _note(self, numbers: Sequence[int] | None) -> None:
        with open(self._path, 'ab') as file:
            file.write(f'{json.dumps(numbers)}\n'.encode())

    def chunks(self, total: int, size: int) -> list[list[int]]:
        """All places in their order, up to ``size`` together; suspects alone."""
        found: list[list[int]] = []
        for number in range(total):
            together = found and number not in self.suspects and found[-1][0] not in self.suspects
            if together and len(found[-1]) < size:
                found[-1].append(number)
            else:
                found.append([number])
        return found

    def refuses(self, number: int) -> bool:
        """Whether a file is not examined any more, for :data:`REASON`."""
        return number in self._refused

    def forget(self) -> None:
        """The shard is done."""
        self._path.unlink(missing_ok=True)


def _often_in_a_row(ends: Iterable[Sequence[int]]) -> set[int]:
    """What one attempt after the other ended at.

    Not: so many attempts in all. Workers that are ended for other reasons, as by a machine that is
    short of memory, begin with the same files each time.
    """
    found: set[int] = set()
    streaks: Counter[int] = Counter()
    for numbers in ends:
        streaks = Counter({number: streaks[number] + 1 for number in numbers})
        found.update(number for number, times in streaks.items() if times >= MOST_DEATHS)
    return found
