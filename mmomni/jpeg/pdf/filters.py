"""Packings of the streams of a PDF that are taken off here, within a limit of bytes."""

import base64
import re
import zlib
from collections.abc import Sequence
from typing import Any

_ABBREVIATED = {
    '/AHx': '/ASCIIHexDecode', '/A85': '/ASCII85Decode', '/LZW': '/LZWDecode',
    '/Fl': '/FlateDecode', '/RL': '/RunLengthDecode', '/CCF': '/CCITTFaxDecode',
    '/DCT': '/DCTDecode',
}  # fmt: skip
MOST_FILTERS = 8
LZW_RATIO = 1400
"""A byte of it becomes so many at most: codes of 12 bits whose texts grow up to 3,838 bytes."""


def filters_of(stream: Any) -> list[str]:
    """Names of the filters of a stream (or of what describes an inline picture), in order.

    Raises:
        ValueError: There are more than anybody needs.
    """
    filters = stream.get('/Filter')
    several = [] if filters is None else [filters] if _is_name(filters) else list(filters)
    if len(several) > MOST_FILTERS:
        raise ValueError(f'expected at most {MOST_FILTERS} filters, got {len(several)}')
    return [_ABBREVIATED.get(str(each), str(each)) for each in several]


def _is_name(filters: Any) -> bool:
    return isinstance(filters, str) or str(filters).startswith('/')


def unwrapped(data: bytes, filters: Sequence[str], most: int) -> tuple[bytes, list[str]]:
    """Take off the outer filters that are known here; gives the rest of them.

    Raises:
        ValueError: Something unpacks to more than ``most`` bytes, or is damaged.
    """
    rest = list(filters)
    while rest and rest[0] in _DECODERS:
        data = _DECODERS[rest.pop(0)](data, most)
        if len(data) > most:
            raise ValueError(f'it unpacks to more than {most:,} bytes')
    return data, rest


def _flate(data: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        return unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise ValueError(f'damaged data of FlateDecode: {error}') from error


def _hexadecimal(data: bytes, _: int) -> bytes:
    digits = re.sub(rb'\s', b'', data.partition(b'>')[0])
    return bytes.fromhex((digits + b'0' * (len(digits) % 2)).decode('ascii'))


def _base_85(data: bytes, _: int) -> bytes:
    body = data.strip().removeprefix(b'<~').partition(b'~')[0]
    return base64.a85decode(body, ignorechars=b' \t\n\r\v\f\0')


_DECODERS = {
    '/FlateDecode': _flate, '/ASCIIHexDecode': _hexadecimal, '/ASCII85Decode': _base_85
}  # fmt: skip
