"""Which files a worker was at when it died: some kill every worker that reads them."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmomni.utils.files import whole_lines

MOST_DEATHS = 3
"""So many workers may end while they are at a file; then it has failed."""
REASON = (
    'expected an image that can be examined; {} processes in a row ended while they were at it '
    '(a crash, or not enough memory); examine it alone with mmomni predict'
)


class Begun:
    """Notes of one shard, by the places of files in it; they outlive the worker.

    A line is appended before files are examined. The last line of an attempt that did not end
    names those that may have ended it.

    Attributes:
        deaths: How many workers ended while they were at a file, for those of which some did.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = whole_lines(path)
        path.write_bytes(b''.join(written))  # without a last one that was torn
        lines = [json.loads(line) for line in written]
        ends = [n - 1 for n, line in enumerate([*lines, []]) if n and not line]
        self.deaths = Counter(number for end in ends for number in lines[end])
        self._path = path
        self.begin([])  # an attempt

    def begin(self, numbers: Sequence[int]) -> None:
        """Note the files that are now examined; none: what follows is no file's fault."""
        with open(self._path, 'ab') as file:
            file.write(f'{json.dumps(numbers)}\n'.encode())

    def chunks(self, total: int, size: int) -> list[list[int]]:
        """All places in their order, up to ``size`` together; those with deaths alone."""
        found: list[list[int]] = []
        for number in range(total):
            together = found and number not in self.deaths and found[-1][0] not in self.deaths
            if together and len(found[-1]) < size:
                found[-1].append(number)
            else:
                found.append([number])
        return found

    def refusal(self, number: int) -> str | None:
        """Why a file is not examined any more; ``None``: it is."""
        deaths = self.deaths[number]
        return REASON.format(deaths) if deaths >= MOST_DEATHS else None

    def forget(self) -> None:
        """The shard is done."""
        self._path.unlink(missing_ok=True)
