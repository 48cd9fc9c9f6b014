"""EXIF, read by exifread within bounds."""

import io
import logging
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import exifread

from .wording import LONGEST, reason_of, shown

MOST_READS = 100_000
"""So many times exifread may read; real EXIF takes some thousands, directories in a circle more."""
MOST_BYTES = 2**22
"""So many bytes it may read, for fields that all claim the same ones are copied each time."""
_SIGNS: dict[bytes, Literal['little', 'big']] = {b'II*\0': 'little', b'MM\0*': 'big'}
"""And the order of bytes behind each."""
_DIRECTORIES = ('EXIF', 'GPS', 'Interoperability')
"""Of EXIF alone; the first of a TIFF holds how its pixels lie there, too, and others are pages."""
_SHARED = frozenset((
    11, 270, 271, 272, 305, 306, 315, 316, 18246, 18249, 33432, *range(40091, 40096),
))  # fmt: skip
"""Fields of the first directory that are about the picture."""
# What it says of broken fields is none of a person's concern: the facts say it.
logging.getLogger('exifread').addHandler(logging.NullHandler())


class Exif(NamedTuple):
    """What EXIF says.

    Attributes:
        tags: Of exifread, by directory and name: ``'Image Make'``, ``'EXIF DateTimeOriginal'``.
        thumbnail: The embedded preview, a JPEG or TIFF; empty for none.
        problem: Why there is nothing, or not all.
        is_empty: It has a directory, and that has no field.
    """

    tags: Mapping[str, Any]
    thumbnail: bytes = b''
    problem: str = ''
    is_empty: bool = False

    def fields(self, of_tiff: bool) -> list[str]:
        """Names of those that are EXIF; of a whole TIFF, those that any TIFF needs are not."""
        if not of_tiff:
            return [*self.tags]
        return [
            name for name, tag in self.tags.items()
            if name.startswith(_DIRECTORIES) or (name.startswith('Image') and tag.tag in _SHARED)
        ]  # fmt: skip

    def text(self, name: str, most: int = LONGEST) -> str:
        """A value in words; empty where it is missing."""
        tag = self.tags.get(name)
        if tag is None:
            return ''
        return shown(tag.values if isinstance(tag.values, bytes) else tag.printable, most)

    def numbers(self, name: str, most: int | None = None) -> list[float]:
        """The first ``most`` numbers of a value; none where these are not all numbers."""
        tag = self.tags.get(name)
        values = tag.values if tag is not None and isinstance(tag.values, list) else []
        try:
            # Floating point comes as tuples of one.
            values = [value[0] if isinstance(value, tuple) else value for value in values[:most]]
            return [float(Fraction(value)) for value in values]
        except (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError):
            return []


class _TooMuchError(Exception):
    pass


class _Bounded(io.BytesIO):
    """A file that is read so often, and so much, and no more."""

    reads, size = 0, 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self.reads += 1
        self.size += len(found)
        if self.reads > MOST_READS or self.size > MOST_BYTES:
            raise _TooMuchError
        return found


def exif_of(data: bytes) -> Exif:
    """Read EXIF that begins as a TIFF; makers' notes are left out.

    Whatever the bytes are, it ends soon and raises nothing.
    """
    if not data:
        return Exif({})
    if data[:4] not in _SIGNS:
        return Exif({}, problem='it does not begin as EXIF does')
    try:
        tags, problem = _read(data, True), ''
    except _TooMuchError:
        return Exif({}, problem='its directories lie in each other, or claim more than there is')
    except Exception as error:  # noqa: BLE001  (broken EXIF makes exifread raise anything)
        try:
            tags, problem = _read(data, False), 'its thumbnail cannot be read'
        except Exception:  # noqa: BLE001
            return Exif({}, problem=reason_of(error))
    thumbnail = tags.pop('JPEGThumbnail', b'') or tags.pop('TIFFThumbnail', b'')
    tags.pop('TIFFThumbnail', None)
    is_empty = not tags and _is_empty(data)
    if not (tags or problem or is_empty):
        problem = 'it holds no field that can be read'
    return Exif(tags, thumbnail if isinstance(thumbnail, bytes) else b'', problem, is_empty)


def _is_empty(data: bytes) -> bool:
    """Whether the first directory has no field."""
    start = int.from_bytes(data[4:8], _SIGNS[data[:4]])
    number = data[start : start + 2]
    return len(number) == 2 and not any(number)


def _read(data: bytes, thumbnail: bool) -> dict[str, Any]:
    file = _Bounded(data)
    return exifread.process_file(file, details=False, extract_thumbnail=thumbnail)
