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
    rb'libpng (?:warning|error): |tempfile\.tif: |'
    # But no last line of a traceback, as that of a UnicodeDecodeError.
    rb'(?!\w*(?:Error|Exception|Warning): )'
    rb'(?:\w*Decode\w*|JPEGLib|JPEGFixupTags\w*|TIFF\w+): '
)
"""Lines of libjpeg, libpng and libtiff, for which Pillow calls every file by one name."""
_OF_WRONG_PIXELS = re.compile(r'(?:\w*Decode\w*|JPEGLib|tempfile\.tif): ')
"""Those of what unpacks a TIFF: it goes on with pixels that it made up, and no code says so."""
_NAMED = 3
_one_at_a_time = threading.RLock()
_screens: list[int] = []
"""Copies of the descriptor of standard error while it is redirected, the true one first."""


@contextmanager
def without_words_of_decoders() -> Iterator[list[str]]:
    """Leave out lines that libjpeg and its like write to standard error; others come at the end.

    Every library has its own libjpeg, and most of these print by themselves: only the file
    descriptor is common to them. So it is for as little as there is to be said of one image:
    threads wait for each other, and what others of them print meanwhile comes at the end, too.

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
        try:  # whatever is raised from here on, also by a signal
            _screens.append(error)
            os.dup2(words.fileno(), 2)
            yield left_out
        finally:
            try:
                _flush()
            finally:
                os.dup2(error, 2)
                _screens.remove(error)
                os.close(error)
                words.seek(0)
                left_out += _passed_on(words.readlines())


def to_stderr(text: bytes) -> None:
    """Write at once, also while lines are held back; for who ends the process before they come."""
    os.write(next(iter(_screens), 2), text)


def words_of_wrong_pixels(words: Sequence[str]) -> list[str]:
    """Those words that mean pixels other than the ones that were saved."""
    return [word for word in words if _OF_WRONG_PIXELS.match(word)]


def note_of_words(words: Sequence[str], notes: Sequence[object]) -> list[str]:
    """A note of what decoders said of an image, where there is no other to tell it better."""
    if not words or notes:
        return []
    more = f' and {len(words) - _NAMED:,} more' if len(words) > _NAMED else ''
    return [f'its decoder says: {"; ".join(words[:_NAMED])}{more}']


def _passed_on(lines: Sequence[bytes]) -> list[str]:
    """What decoders said, each line once; the other lines are printed."""
    if other := [line for line in lines if not _OF_DECODERS.match(line)]:
        os.write(2, b''.join(other))
    known = (line.decode(errors='replace') for line in lines if _OF_DECODERS.match(line))
    return list(dict.fromkeys(' '.join(line.split()) for line in known))


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
