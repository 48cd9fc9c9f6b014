"""How the picture of a TIFF lies in its file: one place decides what is read, and what is not.

Letters: ``H W`` image height and width in pixels, ``C`` samples of a pixel.
"""

from bisect import bisect_right
from typing import NamedTuple

from .directories import Directory
from .tags import (
    ASSOCIATED,
    CMYK_INKS,
    CODINGS,
    DEPTH,
    DIFFERENCES,
    FAX,
    LOSSLESS,
    MASK,
    MEANINGS,
    NUMBERS,
    SEPARATE,
    UNASSOCIATED,
    UNDEFINED,
    UNSIGNED,
    Coding,
    Meaning,
    Tag,
)

_COLOURS: dict[int, int] = {
    Meaning.RGB: 3, Meaning.YCBCR: 3, Meaning.LAB: 3, Meaning.CMYK: 4,
}  # fmt: skip
PLAIN_MEANINGS = (Meaning.WHITE_IS_ZERO, Meaning.BLACK_IS_ZERO, Meaning.RGB, Meaning.CMYK)


class UnreadableTIFFError(ValueError):
    """A TIFF whose pictures are of no kind that is decoded; the message says of which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.refusal = (
            f'expected a TIFF that can be decoded, but {reason}; convert it to grey or RGB of 8 or '
            '16 bits with a program that can'
        )


class Layout(NamedTuple):
    """The picture of a TIFF that is examined.

    Attributes:
        directory: Of the file.
        orientation: Of EXIF, 1 to 8, that of the page where the directory has none.
        has_more: Whether the file has other whole pictures.
        notes: What a person should know: what else there is, or that this is only a preview.
    """

    directory: Directory
    orientation: int
    has_more: bool
    notes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        return self.directory.size

    @property
    def compression(self) -> int:
        return self.directory.number(Tag.COMPRESSION, Coding.NONE)

    @property
    def photometric(self) -> int:
        # Of a file that does not say, the same is assumed as by libtiff.
        if self.samples > 2:
            unsaid = Meaning.RGB if self.compression in LOSSLESS else Meaning.YCBCR
        else:
            unsaid = Meaning.WHITE_IS_ZERO if self.compression in FAX else Meaning.BLACK_IS_ZERO
        return self.directory.number(Tag.PHOTOMETRIC, unsaid)

    @property
    def samples(self) -> int:
        return self.directory.number(Tag.SAMPLES, 1)

    @property
    def planes(self) -> int:
        """How many planes lie apart from each other."""
        return self.samples if self.directory.number(Tag.PLANAR, 1) == SEPARATE else 1

    @property
    def bits(self) -> int:
        """Of a sample; 0 where they differ."""
        bits = self.directory.numbers(Tag.BITS, (1,))[: self.samples]
        return bits[0] if len(set(bits)) == 1 else 0

    @property
    def is_picture(self) -> bool:
        """Whether it is neither a mask nor a map of depths."""
        return not self.directory.number(Tag.NEW_SUBFILE_TYPE) & (MASK | DEPTH)

    @property
    def white(self) -> int:
        """The largest value that fewer than 16 bits can have; 0 for 16: not all may be in use."""
        return (1 << self.bits) - 1 if self.bits < 16 else 0

    @property
    def largest(self) -> int:
        """A value that occurs, by MaxSampleValue; its default says nothing, as 0."""
        largest = max(self.directory.numbers(Tag.LARGEST_SAMPLE, (0,)))
        return 0 if largest >= (1 << self.bits) - 1 else largest

    @property
    def is_tiled(self) -> bool:
        return Tag.TILES in self.directory.fields

    @property
    def piece(self) -> tuple[int, int]:
        """Width and height of a strip or tile."""
        if self.is_tiled:
            return self.directory.number(Tag.TILE_WIDTH), self.directory.number(Tag.TILE_LENGTH)
        rows = self.directory.number(Tag.ROWS_PER_STRIP, self.size[1])
        return self.size[0], min(rows, self.size[1])

    @property
    def pieces_across_and_down(self) -> tuple[int, int]:
        """Raises ``ValueError`` where strips or tiles have no size."""
        if not all(self.piece):
            raise ValueError('its strips or tiles have no size')
        across, down = (
            -(-side // part) for side, part in zip(self.size, self.piece, strict=True)
        )
        return across, down

    @property
    def predictor(self) -> int:
        """As libtiff does, that of codings alone which have one."""
        if self.compression in (Coding.NONE, Coding.PACK_BITS):
            return 1
        return self.directory.number(Tag.PREDICTOR, 1)

    @property
    def means_what_it_seems(self) -> bool:
        """Whether values have no signs (but for Lab), and inks are those of CMYK.

        Pillow opens others as if it were so.
        """
        kinds = set(self.directory.numbers(Tag.SAMPLE_FORMAT, (UNSIGNED,)))
        plain = kinds <= {UNSIGNED, UNDEFINED} or self.photometric == Meaning.LAB
        inks = self.directory.number(Tag.INKS, CMYK_INKS)
        return plain and (self.photometric != Meaning.CMYK or inks == CMYK_INKS)

    @property
    def unpacked_bytes(self) -> int:
        """Of all strips or tiles, whose edges and samples may be far more than the picture needs.

        Raises ``ValueError`` where they have no size.
        """
        across, down = self.pieces_across_and_down
        bits = max(self.directory.numbers(Tag.BITS, (1,))[: self.samples])
        return across * down * self.piece[0] * self.piece[1] * self.samples * bits // 8

    @property
    def is_plain(self) -> bool:
        """Whether its samples are whole numbers of up to 16 bits that lie as they are, packed."""
        differences = self.predictor == DIFFERENCES and self.bits in (8, 16)
        return (
            self.photometric in PLAIN_MEANINGS
            and self.samples >= self.colours
            and self.compression in LOSSLESS
            and self.means_what_it_seems
            and 1 <= self.bits <= 16
            and (self.predictor == 1 or differences)
        )

    @property
    def colours(self) -> int:
        """Samples that are no alpha and nothing else but the colour."""
        return _COLOURS.get(self.photometric, 1)

    @property
    def has_alpha(self) -> bool:
        """Whether the sample behind the colours is alpha: of four in RGB, whatever is not said."""
        unsaid = UNASSOCIATED if self.photometric == Meaning.RGB else 0
        extra = self.directory.number(Tag.EXTRA_SAMPLES, unsaid)
        return self.samples > self.colours and extra in (ASSOCIATED, UNASSOCIATED)

    @property
    def kind(self) -> str:
        """What its pixels are, for those who read why they are not read."""
        bits = '/'.join(map(str, sorted({*self.directory.numbers(Tag.BITS, (1,))[:8]})))
        kinds = set(self.directory.numbers(Tag.SAMPLE_FORMAT, (1,))) & NUMBERS.keys()
        if kinds:
            return f'pixels of {NUMBERS[min(kinds)]}{bits}, not of 1 to 16 bits without a sign'
        if self.photometric in PLAIN_MEANINGS and self.bits > 16:
            return f'pixels of uint{bits}, not of 1 to 16 bits'
        meaning = MEANINGS.get(self.photometric, f'PhotometricInterpretation {self.photometric}')
        if self.photometric == Meaning.CMYK and not self.means_what_it_seems:
            meaning = 'inks other than CMYK'
        coding = CODINGS.get(self.compression, f'Compression {self.compression}')
        samples = f'{self.samples} x {bits}' if self.samples > 1 else bits
        return f'pixels of {meaning}, {samples} bits, coded as {coding}'


def pieces_of(layout: Layout, plane: int = 0) -> list[bytes]:
    """The strips or tiles of a plane, as the file has them.

    Raises:
        ValueError: Some lie beyond its end.
    """
    data, directory = layout.directory.data, layout.directory
    tags = (Tag.TILES, Tag.TILE_SIZES) if layout.is_tiled else (Tag.STRIPS, Tag.STRIP_SIZES)
    offsets, sizes = (directory.numbers(tag) for tag in tags)
    across, down = layout.pieces_across_and_down
    number = across * down
    if len(offsets) < number * layout.planes:
        raise ValueError(f'image file is truncated: it lists {len(offsets)} strips or tiles')
    found, starts = [], sorted({*offsets, len(data)})
    is_plain = layout.compression == Coding.NONE and layout.is_plain
    for index in range(plane * number, (plane + 1) * number):
        start, size = offsets[index], sizes[index] if index < len(sizes) else 0
        needed = _plain_bytes(layout, index % number) if is_plain else size
        if size == 0 and start < len(data):  # not said: up to the next one
            size = starts[bisect_right(starts, start)] - start
        size = min(size, needed) if is_plain else size
        if not 0 < start < start + size <= len(data) or size < needed:
            raise ValueError(f'image file is truncated: its strip or tile {index} is not all there')
        found.append(data[start : start + size])
    return found


def _plain_bytes(layout: Layout, index: int) -> int:
    """Of a strip or tile of one plane that is not compressed."""
    rows = layout.piece[1]
    if not layout.is_tiled:
        rows = min(rows, layout.size[1] - index * rows)
    return row_bytes(layout) * rows


def row_bytes(layout: Layout) -> int:
    """Bytes of a row of a strip or tile of one plane, not compressed."""
    return -(-layout.piece[0] * (layout.samples // layout.planes) * layout.bits // 8)
