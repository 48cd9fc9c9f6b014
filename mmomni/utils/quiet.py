"""What C libraries print of a damaged file, which a note tells better, is kept off the screen."""

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_OF_LIBJPEG = re.compile(
    rb'Corrupt JPEG data|Premature end of JPEG|Invalid SOS param|Inconsistent progression|'
    rb'Warning: unknown JFIF|Unknown Adobe color'
)
_one_at_a_time = threading.Lock()


@contextmanager
def without_words_of_libjpeg() -> Iterator[None]:
    """Leave out lines that libjpeg writes to standard error; all others come at the end.

    Every library has its own libjpeg, and most of these print by themselves: only the file
    descriptor is common to them.
    """
    if not hasattr(os, 'memfd_create'):
        yield
        return
    with _one_at_a_time, open(os.memfd_create('words'), 'r+b') as words:
        _flush()
        error = os.dup(2)
        os.dup2(words.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(error, 2)
            os.close(error)
            words.seek(0)
            other = [line for line in words if not _OF_LIBJPEG.match(line)]
            if other:
                os.write(2, b''.join(other))


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
