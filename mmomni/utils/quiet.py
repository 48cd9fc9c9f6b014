"""What C libraries print of a damaged file, which a note tells better, is kept off the screen."""

import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_OF_DECODERS = re.compile(
    rb'Corrupt JPEG data|Premature end of JPEG|Invalid SOS param|Inconsistent progression|'
    rb'Warning: unknown JFIF|Unknown Adobe color|'
    rb'libpng (?:warning|error): |'
    rb'(?:\w*Decode\w*|JPEGLib|JPEGFixupTags\w*|TIFF\w+): '
)
"""Lines of libjpeg, libpng and libtiff."""
_one_at_a_time = threading.RLock()


@contextmanager
def without_words_of_decoders() -> Iterator[list[str]]:
    """Leave out lines that libjpeg and its like write to standard error; others come at the end.

    Every library has its own libjpeg, and most of these print by themselves: only the file
    descriptor is common to them. So it is for as little as there is to be said of one image.

    Yields:
        The lines that were left out, each once, behind the block: see :func:`note_of_words`.
    """
    left_out: list[str] = []
    if not hasattr(os, 'memfd_create'):
        yield left_out
        return
    with _one_at_a_time, open(os.memfd_create('words'), 'r+b') as words:
        _flush()
        error = os.dup(2)
        os.dup2(words.fileno(), 2)
        try:
            yield left_out
        finally:
            _flush()
            os.dup2(error, 2)
            os.close(error)
            words.seek(0)
            lines = words.readlines()
            if other := [line for line in lines if not _OF_DECODERS.match(line)]:
                os.write(2, b''.join(other))
            known = (line.decode(errors='replace') for line in lines if _OF_DECODERS.match(line))
            left_out += dict.fromkeys(' '.join(line.split()) for line in known)


def note_of_words(words: Sequence[str], notes: Sequence[object]) -> list[str]:
    """A note of what decoders said of an image, where there is no other to tell it better."""
    return [f'its decoder says: {"; ".join(words)}'] if words and not notes else []


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
