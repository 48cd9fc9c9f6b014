"""The pixels of a TIFF as they are stored. Letters as in :mod:`mmomni.jpeg.tiff.layout`.

libtiff, by way of Pillow, unpacks; what plain numbers mean is decided here, because Pillow takes
separate planes of 16 bits, and white that is zero, for something else. The rest it gets as a file
of that one picture, without the orientation that it would obey.
"""

import zlib
from collections.abc import Iterator
from io import BytesIO
from itertools import islice

import numpy as np
from PIL import Image, UnidentifiedImageError

from mmomni.jpeg.orientation import UPRIGHT, as_stored, orientation_of

from .choosing import layout_of
from .directories import is_tiff, with_first
from .jpegs import is_jpeg_inside, obstacle_to_parts, old_stream, parts_of
from .layout import Layout, pieces_of, row_bytes
from .tags import ASSOCIATED, DIFFERENCES, LOSSLESS, REVERSED, Coding, Meaning, Tag
from .writing import numbers, passed_on, shorts, written

LAYOUT = 'mmomni_layout'
"""Key of ``Image.info``: the :class:`Layout` of an opened TIFF."""
_HOW_THEY_LIE = (
    Tag.COMPRESSION, Tag.PLANAR, Tag.PREDICTOR, Tag.FILL_ORDER, Tag.TILE_WIDTH, Tag.TILE_LENGTH,
    Tag.ROWS_PER_STRIP,
)  # fmt: skip
_BAND = 1 << 26
"""So many bytes are unpacked at once, far from what Pillow takes for a bomb."""
_MIRRORED = np.packbits(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1
)[:, 0]


def opened(data: bytes) -> Image.Image:
    """What Pillow tells of the picture of a TIFF that is examined, without its pixels.

    Its ``info`` has the :data:`LAYOUT`.

    Raises:
        UnreadableTIFFError: There are pictures, but none that is decoded.
        ValueError: It is damaged.
    """
    layout = layout_in(data)
    image = _header_of(layout)
    image.info[LAYOUT] = layout
    image.is_animated = layout.has_more  # type: ignore[attr-defined]
    return image


def layout_in(data: bytes) -> Layout:
    """The picture of a TIFF that is examined; raises as :func:`opened` does."""
    return layout_of(data, _is_readable)


def jpegs_in(data: bytes) -> list[bytes]:
    """The JPEGs that the picture of a TIFF is made of; none where it is made of something else."""
    if not is_tiff(data):
        return []
    try:
        layout = layout_in(data)
        whole = is_jpeg_inside(layout) and not obstacle_to_parts(layout)
        return [part.stream for part in parts_of(layout)] if whole else []
    except ValueError:  # of which decoding tells
        return []


def _is_readable(layout: Layout) -> bool:
    try:
        with _header_of(layout) as image:
            known = layout.means_what_it_seems and not image.mode.startswith(('I', 'F'))
            return layout.is_plain or known
    except Image.DecompressionBombError:
        raise
    except Exception:  # noqa: BLE001  (Pillow raises anything of what it does not know)
        return False


def _header_of(layout: Layout) -> Image.Image:
    order, tags = layout.directory.form.order, _passed_on(layout)
    if layout.is_plain:
        if layout.samples > layout.colours + 1:  # of which Pillow complains before it gives up
            return _nearest_header_of(layout)
        tags = {tag: value for tag, value in tags.items() if tag not in _HOW_THEY_LIE}
        tags |= numbers(order, {Tag.PHOTOMETRIC: _meaning(layout)})
    tags |= _turned(layout, order)
    try:
        tiled = layout.is_tiled and not layout.is_plain
        return Image.open(BytesIO(written(order, tags, [b''], tiled)))
    except UnidentifiedImageError:
        if not layout.is_plain:
            raise
        return _nearest_header_of(layout)


def _passed_on(layout: Layout) -> dict[int, tuple[int, bytes]]:
    """With the meaning of the values, for which Pillow takes another one where it is not said."""
    said = numbers(layout.directory.form.order, {Tag.PHOTOMETRIC: layout.photometric})
    return said | passed_on(layout.directory)


def _nearest_header_of(layout: Layout) -> Image.Image:
    """Of a kind that Pillow knows, in the place of one that it does not."""
    tags = numbers('<', dict(zip((Tag.WIDTH, Tag.LENGTH), layout.size, strict=True)))
    tags |= numbers('<', {Tag.SAMPLES: layout.colours, Tag.PHOTOMETRIC: _meaning(layout)})
    bits = 8 if layout.bits <= 8 else 16
    if layout.has_alpha and layout.colours == 1:  # of which it knows none of 16 bits
        bits, tags[Tag.EXTRA_SAMPLES] = 8, shorts('<', 2)
        tags[Tag.SAMPLES] = shorts('<', 2)
    samples = layout.colours + (layout.has_alpha and layout.colours == 1)
    tags[Tag.BITS] = shorts('<', *[bits] * samples)
    return Image.open(BytesIO(written('<', tags | _turned(layout, '<'), [b''])))


def _meaning(layout: Layout) -> int:
    """PhotometricInterpretation of the values that :func:`values_in` makes."""
    negative = layout.photometric == Meaning.WHITE_IS_ZERO
    return Meaning.BLACK_IS_ZERO if negative else layout.photometric


def _turned(layout: Layout, order: str) -> dict[int, tuple[int, bytes]]:
    """The fields in which Pillow looks for an orientation."""
    if layout.orientation != UPRIGHT:
        return numbers(order, {Tag.ORIENTATION: layout.orientation})
    directory = layout.directory
    if Tag.ORIENTATION in directory.fields or Tag.XMP not in directory.fields:
        return {}
    return {Tag.XMP: (1, directory.content(Tag.XMP))}


def values_in(layout: Layout) -> tuple[np.ndarray, np.ndarray | None]:
    """The pixels of a picture, and its alpha.

    White, and opaque, is the largest number of ``layout.bits``; fewer than 8 bits become 8.

    Returns:
        ``uint8``, or ``uint16`` of more than 8 bits: (H, W) or RGB, (H, W, 3); the same of alpha,
        (H, W), ``None`` where there is none.

    Raises:
        ValueError: It is damaged.
        OSError: The same, in Pillow's words.
    """
    if not layout.is_plain:
        image = image_of(layout)
        alpha = np.array(image.getchannel('A')) if 'A' in image.getbands() else None
        return np.array(image.convert('RGB')), alpha
    values, alpha = _plain_values(layout)
    if layout.photometric == Meaning.CMYK:
        inks = (values >> max(layout.bits - 8, 0)).astype(np.uint8)
        height, width = inks.shape[:2]
        # Not `fromarray`, whose mode Pillow 11.3 wanted to be without and Pillow 12 takes again.
        inks = np.ascontiguousarray(inks)
        image = Image.frombuffer('CMYK', (width, height), inks, 'raw', 'CMYK', 0, 1)
        return np.array(image.convert('RGB')), alpha
    return values[..., 0] if layout.colours == 1 else values, alpha


def image_of(layout: Layout) -> Image.Image:
    """The same for Pillow: of 16 bits only those in one channel, of others the highest 8."""
    if not layout.is_plain:
        return _by_pillow(layout)
    values, alpha = values_in(layout)
    if values.dtype == np.uint16 and values.ndim == 2 and alpha is None:
        return Image.fromarray(values)
    bands = values if alpha is None else np.dstack([values, alpha])
    bands = (bands >> (layout.bits - 8 if bands.dtype == np.uint16 else 0)).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(bands))


def _by_pillow(layout: Layout) -> Image.Image:
    """What Pillow makes of a file of this picture alone, in the place of its own."""
    directory, order = layout.directory, layout.directory.form.order
    if layout.compression == Coding.OLD_JPEG and (stream := old_stream(layout)):
        return Image.open(BytesIO(stream))
    if layout.compression == Coding.OLD_JPEG:  # whose tables lie anywhere in the file
        with Image.open(BytesIO(with_first(directory.data, directory.offset))) as image:
            turned = orientation_of(image)
            return Image.fromarray(as_stored(np.array(image.convert('RGB')), turned))
    if layout.photometric == Meaning.LAB and layout.planes > 1 and layout.compression in LOSSLESS:
        layout = _in_one_plane(layout)  # because Pillow forgets the signs of the others
        directory, order = layout.directory, '<'
    tags = _passed_on(layout)
    pieces = [piece for plane in range(layout.planes) for piece in pieces_of(layout, plane)]
    if layout.compression == Coding.NONE and _has_coarse_chroma(layout, pieces):
        # Pillow reads plain YCbCr itself, as if no chroma were coarser; packed, libtiff does.
        tags |= numbers(order, {Tag.COMPRESSION: Coding.DEFLATE})
        pieces = [zlib.compress(piece, 0) for piece in pieces]
    if layout.planes == 1:
        tags |= numbers(order, {Tag.PLANAR: 1})
    image = Image.open(BytesIO(written(order, tags, pieces, layout.is_tiled)))
    image.load()
    return image


def _in_one_plane(layout: Layout) -> Layout:
    """The same picture of 8 bits, written anew."""
    values = np.concatenate([_plane(layout, number) for number in range(layout.colours)], axis=2)
    tags = {Tag.WIDTH: layout.size[0], Tag.LENGTH: layout.size[1], Tag.SAMPLES: layout.colours}
    fields = numbers('<', tags | {Tag.PHOTOMETRIC: layout.photometric})
    fields[Tag.BITS] = shorts('<', *[8] * layout.colours)
    return layout_in(written('<', fields, [values.tobytes()]))


def _has_coarse_chroma(layout: Layout, pieces: list[bytes]) -> bool:
    """Whether plain YCbCr has fewer samples of chroma than of luma, or may have (in planes)."""
    if layout.photometric != Meaning.YCBCR or layout.planes > 1:
        return layout.photometric == Meaning.YCBCR
    return len(pieces[0]) < layout.piece[0] * layout.piece[1] * layout.samples


def _plain_values(layout: Layout) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours (H, W, C) and alpha (H, W) of whole numbers, fewer than 8 bits as 8."""
    colours, top = layout.colours, (1 << layout.bits) - 1
    needed = colours + layout.has_alpha
    planes = range(needed if layout.planes > 1 else 1)
    every = np.concatenate([_plane(layout, number) for number in planes], axis=2)
    values, alpha = every[..., :colours], every[..., colours] if layout.has_alpha else None
    if alpha is not None and layout.directory.number(Tag.EXTRA_SAMPLES) == ASSOCIATED:
        wide = values.astype(np.uint32) * top // np.maximum(alpha, 1)[..., None]
        values = np.where(alpha[..., None] > 0, wide.clip(max=top), 0).astype(values.dtype)
    if layout.photometric == Meaning.WHITE_IS_ZERO:
        values = top - values
    alpha = None if alpha is None else _at_least_eight_bits(alpha, top)
    return _at_least_eight_bits(values, top), alpha


def _at_least_eight_bits(values: np.ndarray, top: int) -> np.ndarray:
    if top >= 255:
        return values
    return (values.astype(np.uint16) * 255 // top).astype(np.uint8)


def _plane(layout: Layout, number: int) -> np.ndarray:
    """What lies together in the file: (H, W, all samples) or a single one, (H, W, 1)."""
    pieces = pieces_of(layout, number)
    values = _numbers(layout, np.concatenate([*_unpacked(layout, pieces)]))
    if layout.predictor == DIFFERENCES:
        values = values.cumsum(axis=1, dtype=values.dtype)
    if layout.is_tiled:
        across, down = layout.pieces_across_and_down
        (width, height), samples = layout.piece, values.shape[2]
        tiles = values.reshape(down, across, height, width, samples)
        values = tiles.transpose(0, 2, 1, 3, 4).reshape(down * height, across * width, samples)
    return values[: layout.size[1], : layout.size[0]]


def _unpacked(layout: Layout, pieces: list[bytes]) -> Iterator[np.ndarray]:
    """The rows of strips, or of tiles one below the other, as bytes."""
    width, height = row_bytes(layout), layout.piece[1]
    if layout.compression == Coding.NONE:
        rows = np.frombuffer(b''.join(pieces), np.uint8).reshape(-1, width)
        yield _MIRRORED[rows] if layout.directory.number(Tag.FILL_ORDER) == REVERSED else rows
        return
    rows_left: int = len(pieces) * height if layout.is_tiled else layout.size[1]
    queue = iter(pieces)
    while band := [*islice(queue, max(1, _BAND // (width * height)))]:
        here = min(len(band) * height, rows_left)
        yield _unpacked_band(layout, band, (width, here))
        rows_left -= here


def _unpacked_band(layout: Layout, pieces: list[bytes], size: tuple[int, int]) -> np.ndarray:
    """By libtiff, for which they are a grey picture of 8 bits."""
    tags = numbers('<', {
        Tag.WIDTH: size[0], Tag.LENGTH: size[1], Tag.BITS: 8, Tag.SAMPLES: 1, Tag.PHOTOMETRIC: 1,
        Tag.COMPRESSION: layout.compression, Tag.ROWS_PER_STRIP: layout.piece[1],
        Tag.FILL_ORDER: layout.directory.number(Tag.FILL_ORDER, 1),
    })  # fmt: skip
    with Image.open(BytesIO(written('<', tags, pieces))) as image:
        return np.array(image)


def _numbers(layout: Layout, rows: np.ndarray) -> np.ndarray:
    """Bytes of rows (N, B) -> samples, ``uint8`` or ``uint16`` (N, width of a piece, C)."""
    width, samples, bits = layout.piece[0], layout.samples // layout.planes, layout.bits
    if bits == 8:
        return rows.reshape(len(rows), width, samples)
    if bits == 16:
        wide = rows.reshape(-1).view(f'{layout.directory.form.order}u2').astype(np.uint16)
        return wide.reshape(len(rows), width, samples)
    kind = np.dtype(np.uint8 if bits < 8 else np.uint16)
    values = np.empty((len(rows), width * samples), kind)
    weights = (1 << np.arange(bits)[::-1]).astype(kind)
    for number, row in enumerate(rows):
        single = np.unpackbits(row)[: width * samples * bits].reshape(-1, bits)
        values[number] = single @ weights
    return values.reshape(len(rows), width, samples)
