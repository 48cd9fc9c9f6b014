"""Whether the files of a record are those that were written.

A computer that lost its power, or a disk that was full while a folder was copied, leaves files
that are there and hold less than they did.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .predictions import files_of

STARTS_AND_ENDS = {
    '.png': (b'\x89PNG\r\n\x1a\n', b'IEND\xaeB`\x82'),
    '.jpg': (b'\xff\xd8\xff', b'\xff\xd9'),
    '.npz': (b'PK\x03\x04', b'PK\x05\x06'),
}
_BEHIND = {'.npz': 18}
"""So many bytes of a whole file follow what its end begins with."""


def fault_of(root: Path, record: Mapping[str, Any]) -> str | None:
    """What is wrong with the first output that is not as it was written; ``None``: none is.

    Records of earlier versions do not say how many bytes were written; of their files, first and
    last bytes are looked at.
    """
    sizes = record.get('output_bytes') or {}
    for file in files_of(record):
        try:
            status = os.stat(root / file)
        except (OSError, ValueError):
            return f'{file} is gone'
        if not stat.S_ISREG(status.st_mode):
            return f'{file} is no file'
        if not status.st_size:
            return f'{file} is empty'
        if file in sizes:
            if status.st_size != sizes[file]:
                return f'{file} has {status.st_size} bytes, {sizes[file]} were written'
        elif not _is_whole(root / file):
            return f'{file} is broken off'
    return None


def _is_whole(path: Path) -> bool:
    """Whether a file begins and ends as its kind does; others are believed."""
    start, end = STARTS_AND_ENDS.get(path.suffix, (b'', b''))
    length = len(end) + _BEHIND.get(path.suffix, 0)
    try:
        with open(path, 'rb') as file:
            if file.read(len(start)) != start or os.fstat(file.fileno()).st_size < length:
                return False
            file.seek(-length, os.SEEK_END)
            return file.read(len(end)) == end
    except OSError:
        return False
