"""Text files of whoever wrote them (encoding, ends of lines), and numbers of things in words."""

import codecs
import re
from pathlib import Path

from .regular_files import NotRegularError, open_regular

_ENCODINGS = {
    codecs.BOM_UTF8: 'utf-8',
    codecs.BOM_UTF32_LE: 'utf-32-le',  # begins like UTF-16's, so it is asked for first
    codecs.BOM_UTF32_BE: 'utf-32-be',
    codecs.BOM_UTF16_LE: 'utf-16-le',
    codecs.BOM_UTF16_BE: 'utf-16-be',
}
"""Encodings by the byte order mark at the start of a file."""


def counted(number: int, of_what: str) -> str:
    """``'1 file'``, ``'1,234 files'``."""
    return f'{number:,} {of_what}{"" if number == 1 else "s"}'


def read_text(path: Path) -> str:
    """The text of a file, see :func:`decode_text`.

    Raises:
        OSError: It cannot be read, or is no regular file.
        ValueError: It is no such text.
    """
    try:
        with open_regular(path) as file:
            data = file.read()
    except NotRegularError as error:
        raise OSError(f'{path}: expected a text file, got a {error.kind}') from None
    return decode_text(data, str(path))


def decode_text(data: bytes, name: str) -> str:
    """Bytes in the encoding that their byte order mark says, or else in UTF-8, without the mark.

    Raises:
        ValueError: They are in another encoding. Names ``name``, line, offset and remedy; nothing
            is guessed, since a wrong guess names another file.
    """
    mark = next((mark for mark in _ENCODINGS if data.startswith(mark)), b'')
    encoding, body = _ENCODINGS.get(mark, 'utf-8'), data[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        before = body[: error.start].decode(encoding)
        found = body[error.start : error.end].hex(' ')
        raise _no_text(name, before, encoding, len(mark) + error.start, found) from error
    if '\0' in text:
        before = text[: text.index('\0')]
        offset = len(mark) + len(before.encode(encoding))
        raise _no_text(name, before, encoding, offset, '00')
    return text


def _no_text(name: str, before: str, encoding: str, offset: int, found: str) -> ValueError:
    expected = encoding.upper() if encoding != 'utf-8' else 'UTF-8, or UTF-16 with its mark'
    # The usual writers of each: editors of Windows, old or with two bytes a character.
    guess = 'UTF-16' if found == '00' else 'LATIN1'
    return ValueError(
        f'{name}:{len(text_lines(before))}: expected text in {expected}, but at byte {offset} '
        f'comes {found} (hex), which is none; save it as UTF-8, for example by '
        f'`iconv -f {guess} -t UTF-8`, with the encoding that it has'
    )


def text_lines(text: str) -> list[str]:
    """Lines that end as files of Unix, Windows and old Macs do, without their ends.

    The last one is empty where the text ends in an end. Other characters that Unicode breaks lines
    at (form feeds, U+0085, U+2028) may be part of a name. A byte order mark is left in the middle
    where files were joined; it is taken off.
    """
    return [line.removeprefix('\ufeff') for line in re.split(r'\r\n?|\n', text)]
