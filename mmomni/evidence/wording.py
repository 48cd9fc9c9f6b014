"""What strangers wrote into a file, in words that can be shown."""

import re
from collections.abc import Sized
from typing import Any

from mmomni.utils.templates import printable
from mmomni.utils.text import counted

NONE = 'none'
LONGEST = 200
LONGEST_REASON = 120


def number_of(things: Sized, of_what: str) -> str:
    """``'1 field'``, ``'2 fields'``, and :data:`NONE`."""
    return counted(len(things), of_what) if things else NONE


def shown(value: Any, most: int = LONGEST) -> str:
    """A value of metadata as one line of printable text, cut where it is long.

    Bytes are UTF-8, or else Latin-1, which any bytes are.
    """
    if isinstance(value, bytes):
        value = value[: 4 * most + 4]
        try:
            value = value.decode()
        except UnicodeDecodeError:
            value = value.decode('latin-1')
    text = str(value)
    cut = len(text) > 4 * most
    text = printable(re.sub(r'[\s\0]+', ' ', text[: 4 * most]).strip())
    return f'{text[: most - 1]}…' if cut or len(text) > most else text


def reason_of(error: BaseException) -> str:
    """An exception of a reader, for a note."""
    text = shown(error, LONGEST_REASON)
    return f'{type(error).__name__}: {text}' if text else type(error).__name__
