"""Writing a TIFF of one picture, for readers that cannot be trusted with all that a file has."""

import struct

from .directories import SIZES, Directory
from .tags import Tag

PASSED_ON = (
    Tag.WIDTH, Tag.LENGTH, Tag.BITS, Tag.COMPRESSION, Tag.PHOTOMETRIC, Tag.FILL_ORDER, Tag.SAMPLES,
    Tag.ROWS_PER_STRIP, Tag.PLANAR, Tag.GROUP_3_OPTIONS, Tag.GROUP_4_OPTIONS, Tag.PREDICTOR,
    Tag.PALETTE, Tag.TILE_WIDTH, Tag.TILE_LENGTH, Tag.INKS, Tag.EXTRA_SAMPLES, Tag.SAMPLE_FORMAT,
    Tag.JPEG_TABLES, Tag.YCBCR_COEFFICIENTS, Tag.YCBCR_SUBSAMPLING, Tag.YCBCR_POSITION,
    Tag.BLACK_AND_WHITE,
)  # fmt: skip
"""Tags that say how pixels are coded, and what their values mean."""


def written(
    order: str, tags: dict[int, tuple[int, bytes]], pieces: list[bytes], tiled: bool = False
) -> bytes:
    """A classic TIFF of one picture, which every reader understands.

    Args:
        order: ``'<'`` or ``'>'``.
        tags: Type and bytes of the values in that order; of strips and tiles none.
        pieces: The strips or tiles.
        tiled: Whether they are tiles.
    """
    offsets = [8]
    for piece in pieces:
        offsets.append(offsets[-1] + len(piece))
    places = struct.pack(f'{order}{len(pieces)}I', *offsets[:-1])
    sizes = struct.pack(f'{order}{len(pieces)}I', *map(len, pieces))
    both = (Tag.TILES, Tag.TILE_SIZES) if tiled else (Tag.STRIPS, Tag.STRIP_SIZES)
    every = sorted((tags | dict(zip(both, ((4, places), (4, sizes)), strict=True))).items())
    fields, beyond = [], b''
    start = offsets[-1] + 2 + 12 * len(every) + 4
    for tag, (kind, values) in every:
        head = struct.pack(f'{order}HHI', tag, kind, len(values) // SIZES[kind])
        if len(values) > 4:
            fields.append(head + struct.pack(f'{order}I', start + len(beyond)))
            beyond += values
        else:
            fields.append(head + values.ljust(4, b'\0'))
    sign = b'II*\0' if order == '<' else b'MM\0*'
    head = sign + struct.pack(f'{order}I', offsets[-1])
    directory = struct.pack(f'{order}H', len(every)) + b''.join(fields) + bytes(4)
    return b''.join([head, *pieces, directory, beyond])


def shorts(order: str, *values: int) -> tuple[int, bytes]:
    """A field of SHORT, or of LONG where one is too large for it."""
    letter, kind = ('H', 3) if max(values) < 1 << 16 else ('I', 4)
    return kind, struct.pack(f'{order}{len(values)}{letter}', *values)


def passed_on(directory: Directory) -> dict[int, tuple[int, bytes]]:
    """Fields of a directory for :func:`written`: how its pixels are coded, and nothing else."""
    found: dict[int, tuple[int, bytes]] = {}
    for tag in PASSED_ON:
        if tag in directory.fields:
            kind = directory.fields[tag].kind
            wide = kind in (16, 18)  # which are of BigTIFF
            values = directory.numbers(tag)
            found[tag] = shorts(directory.form.order, *values) if wide else (
                kind, directory.content(tag)
            )  # fmt: skip
    return found


def numbers(order: str, values: dict[Tag, int]) -> dict[int, tuple[int, bytes]]:
    """Fields of a single number each."""
    return {int(tag): shorts(order, value) for tag, value in values.items()}
