"""Opening files that hold bytes, and nothing that waits, never ends or does something."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

# A pipe that takes the file's place after it was looked at keeps nobody waiting.
_AT_ONCE = getattr(os, 'O_NONBLOCK', 0) | getattr(os, 'O_NOCTTY', 0)


class NotRegularError(OSError):
    """A folder, pipe, socket or device, or a link to one; ``kind`` is the word for it."""

    def __init__(self, kind: str) -> None:
        super().__init__(f'expected a file, got a {kind}')
        self.kind = kind


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file, or a link to one, for reading; all else is refused without opening it.

    Raises:
        NotRegularError: It is none.
        OSError: It cannot be opened, or there is none, or can be none of that name.
    """
    try:
        _check(os.stat(path))
        return open(path, 'rb', opener=_opener)
    except ValueError as error:  # of a zero byte, or of what the file system cannot write
        raise OSError(f'no file can have the name {str(path)!r} ({error})') from error


def _opener(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | _AT_ONCE)
    try:
        _check(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotRegularError(kind_of_mode(status.st_mode))


def kind_of_mode(mode: int) -> str:
    """What it is that is no regular file."""
    names = {stat.S_IFDIR: 'folder', stat.S_IFIFO: 'pipe', stat.S_IFSOCK: 'socket'}
    return names.get(stat.S_IFMT(mode), 'device')
