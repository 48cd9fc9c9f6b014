"""PGM and PPM of more than 8 bits, whose largest value the header tells."""

import re

import numpy as np

_BLANK = rb'(?:\s|#[^\n]*\n)+'
_HEADER = re.compile(
    rb'P([56])' + _BLANK + rb'(\d{1,9})' + _BLANK + rb'(\d{1,9})' + _BLANK + rb'(\d{1,5})\s'
)
FULL = 65535


def deep_values(data: bytes) -> tuple[np.ndarray, int] | None:
    """The pixels of a binary PGM or PPM of more than 8 bits.

    Returns:
        ``uint16`` (H, W) or (H, W, 3); white, 0 where that is the largest number of 16 bits, which
        programs write whatever they hold. Or ``None``: a file of another kind.

    Raises:
        ValueError: Pixels are missing.
    """
    header = _HEADER.match(data)
    if header is None:
        return None
    kind, width, height, white = map(int, header.groups())
    if white < 256:
        return None
    channels = 3 if kind == 6 else 1
    number = width * height * channels
    if len(data) < header.end() + 2 * number:
        raise ValueError('image file is truncated')
    values = np.frombuffer(data, '>u2', number, header.end()).astype(np.uint16)
    shape = (height, width, channels) if channels > 1 else (height, width)
    return values.reshape(shape), white if white != FULL else 0
