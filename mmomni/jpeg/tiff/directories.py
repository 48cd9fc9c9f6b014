"""The directories of a TIFF, classic or BigTIFF, and which of them are whole pictures.

No pixel is read here.
"""

import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from .tags import DEPTH, MASK, REDUCED, Tag

MUCH_LARGER = 2
"""A picture with sides so many times those of the directory it belongs to is no preview of it."""
_SIGNS = {b'II*\0': False, b'MM\0*': False, b'II+\0': True, b'MM\0+': True,
          b'II\0*': False, b'MM*\0': False}  # fmt: skip
_INTEGERS = {1: 'B', 3: 'H', 4: 'I', 13: 'I', 16: 'Q', 18: 'Q'}
"""Letters of :mod:`struct` for the types of field that hold whole numbers."""
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
         16: 8, 17: 8, 18: 8}  # fmt: skip
"""Bytes of a value, by the type of the field."""


class Form(NamedTuple):
    """How a file writes numbers: ``'<'`` or ``'>'``, and whether offsets have eight bytes."""

    order: str
    is_big: bool

    @property
    def offset(self) -> struct.Struct:
        return struct.Struct(self.order + ('Q' if self.is_big else 'I'))

    @property
    def length(self) -> struct.Struct:
        """How many fields a directory has."""
        return struct.Struct(self.order + ('Q' if self.is_big else 'H'))

    @property
    def field(self) -> struct.Struct:
        """Tag, type and number of values; these or their offset follow."""
        return struct.Struct(self.order + ('HHQ' if self.is_big else 'HHI'))


class Field(NamedTuple):
    """Values of a tag: their type, their number, and where in the file they lie."""

    kind: int
    number: int
    start: int


class Directory(NamedTuple):
    """A directory and the file in which it lies.

    Attributes:
        offset: Where it begins.
        end: Where the offset of the next one stands.
        fields: By tag; those of an unknown type, or beyond the end of the file, are left out.
    """

    data: bytes
    form: Form
    offset: int
    end: int
    fields: dict[int, Field]

    def numbers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """All values of a tag; the default where it is missing or holds no whole numbers."""
        kind, number, start = self.fields.get(tag, Field(0, 0, 0))
        if kind not in _INTEGERS or not number:
            return default
        return struct.unpack_from(f'{self.form.order}{number}{_INTEGERS[kind]}', self.data, start)

    def number(self, tag: int, default: int = 0) -> int:
        """The first value of a tag, however many a file claims that there are."""
        kind, number, start = self.fields.get(tag, Field(0, 0, 0))
        if kind not in _INTEGERS or not number:
            return default
        return struct.unpack_from(f'{self.form.order}{_INTEGERS[kind]}', self.data, start)[0]

    def content(self, tag: int) -> bytes:
        """All values of a tag as they lie in the file; empty where it is missing."""
        kind, number, start = self.fields.get(tag, Field(1, 0, 0))
        return self.data[start : start + SIZES[kind] * number]

    @property
    def next(self) -> int:
        """Where the next directory begins, 0 for none."""
        return self.form.offset.unpack_from(self.data, self.end)[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as stored; zeros where it is no picture."""
        return self.number(Tag.WIDTH), self.number(Tag.LENGTH)

    @property
    def area(self) -> int:
        return self.size[0] * self.size[1]

    @property
    def is_preview(self) -> bool:
        """Whether it says that it is a smaller copy of another picture."""
        kind = self.number(Tag.NEW_SUBFILE_TYPE)
        return bool(kind & REDUCED) or self.number(Tag.SUBFILE_TYPE) == 2

    @property
    def is_whole(self) -> bool:
        """Whether it is a picture, and says of itself neither that it is a preview nor a map."""
        maps = self.number(Tag.NEW_SUBFILE_TYPE) & (MASK | DEPTH)
        return self.area > 0 and not maps and not self.is_preview


class Pages(NamedTuple):
    """All directories of a file that can be read.

    Attributes:
        groups: For each directory of the file's chain, itself and those below it (SubIFDs).
        is_broken: Whether another one was announced that lies nowhere, or again in one of these.
    """

    groups: list[list[Directory]]
    is_broken: bool


def is_tiff(data: bytes) -> bool:
    """Whether bytes begin as a TIFF."""
    return data[:4] in _SIGNS


def form_of(data: bytes) -> Form:
    """Raises ``ValueError`` for what does not begin as a TIFF."""
    if not is_tiff(data):
        raise ValueError('it does not begin as a TIFF')
    return Form('<' if data.startswith(b'II') else '>', _SIGNS[data[:4]])


def first_offset(data: bytes) -> int:
    """Where the first directory of a TIFF begins, as its header says; 0 where that is cut."""
    form = form_of(data)
    place = _place_of_first(form)
    return form.offset.unpack_from(data, place)[0] if len(data) >= place + form.offset.size else 0


def directory_at(data: bytes, offset: int, most: int | None = None) -> Directory:
    """Read a directory.

    Args:
        data: A whole TIFF.
        offset: Where it begins.
        most: How many fields it may have.

    Raises:
        ValueError: There is no directory.
    """
    form = form_of(data)
    if not 0 < offset <= len(data) - form.length.size:
        raise ValueError(f'its directory at byte {offset} lies outside')
    count, start = form.length.unpack_from(data, offset)[0], offset + form.length.size
    step = form.field.size + form.offset.size
    end = start + count * step
    if not count or end + form.offset.size > len(data) or (most is not None and count > most):
        raise ValueError(f'its directory at byte {offset} has an impossible number of fields')
    fields: dict[int, Field] = {}
    for place in range(start, end, step):
        tag, kind, number = form.field.unpack_from(data, place)
        size, values = SIZES.get(kind, 0) * number, place + form.field.size
        if size > form.offset.size:
            values = form.offset.unpack_from(data, values)[0]
        if kind in SIZES and values + size <= len(data):
            fields.setdefault(tag, Field(kind, number, values))
    return Directory(data, form, offset, end, fields)


def pages_of(data: bytes) -> Pages:
    """Read all directories; damage ends the list and is no error.

    Together they have no more fields, and list no more directories below them, than the file has
    room for, and none is read twice, so that directories which lie in each other, in a circle, or
    share one long list, take no time.

    Raises:
        ValueError: It does not begin as a TIFF.
    """
    walk = _Walk(data)
    groups: list[list[Directory]] = []
    for page in walk.chain(first_offset(data)):
        group = [page]
        for above in group:  # which grows meanwhile
            for offset in walk.below(above):
                group.extend(walk.chain(offset))
        groups.append(group)
    return Pages(groups, walk.is_broken)


class _Walk:
    def __init__(self, data: bytes) -> None:
        self.data = data
        form = form_of(data)
        self.step = form.field.size + form.offset.size
        self.fields_left = len(data) // self.step
        self.listed_left = len(data) // 4  # bytes of an offset of SubIFDs
        self.seen: set[int] = set()
        self.is_broken = False

    def chain(self, offset: int) -> Iterator[Directory]:
        while offset:
            if offset in self.seen:
                self.is_broken = True
                return
            self.seen.add(offset)
            try:
                found = directory_at(self.data, offset, self.fields_left)
            except ValueError:
                self.is_broken = True
                return
            self.fields_left -= (found.end - offset) // self.step
            yield found
            offset = found.next

    def below(self, directory: Directory) -> tuple[int, ...]:
        """Where the directories below another one begin (SubIFDs)."""
        self.listed_left -= directory.fields.get(Tag.SUB_IFDS, Field(0, 0, 0)).number
        if self.listed_left < 0:
            self.is_broken = True
            return ()
        return directory.numbers(Tag.SUB_IFDS)


def main_pictures(data: bytes) -> list[int]:
    """Where the directories of all whole pictures begin, in the order of the pages.

    One for each page of the file: not its previews, masks or maps of depth. Where nothing else is
    there, the largest preview counts as the picture. What is no TIFF, or has no picture, has none.

    Args:
        data: A whole file.
    """
    return [picture.offset for _, picture in _whole_pages(data)]


def main_pages(data: bytes) -> list[int]:
    """Where the pages of :func:`main_pictures` begin: what is above a picture is of its page, too.

    An orientation, and the previews to fall back on, may be found there alone.
    """
    return [page.offset for page, _ in _whole_pages(data)]


def _whole_pages(data: bytes) -> list[tuple[Directory, Directory]]:
    """The first directories of pages, each with that of its whole picture."""
    if not is_tiff(data):
        return []
    groups = pages_of(data).groups
    found = [(group[0], each) for group in groups if (each := _picture_of(group)) is not None]
    if not found:
        every = [(group[0], each) for group in groups for each in group if each.area]
        found = [max(every, key=lambda both: both[1].area)] if every else []
    return found


def _picture_of(group: list[Directory]) -> Directory | None:
    """The whole picture of a page and what is below it; ``None`` where there are only others."""
    head = group[0]
    below = [each for each in islice(group, 1, None) if each.is_whole]
    if not head.is_whole:
        return _largest(below) if below else None
    factor = MUCH_LARGER
    larger = [
        each for each in below
        if each.size[0] >= factor * head.size[0] and each.size[1] >= factor * head.size[1]
    ]  # fmt: skip
    return _largest(larger) if larger else head


def _largest(directories: Iterable[Directory]) -> Directory:
    """The first of those with most pixels."""
    return max(directories, key=lambda each: each.area)


def with_first(data: bytes, offset: int) -> bytes:
    """A TIFF of which every reader sees the directory at an offset, and no other page.

    Nothing of the file moves: the header points to the directory, which says that none follows.

    Raises:
        ValueError: There is no directory.
    """
    found = directory_at(data, offset)
    changed = bytearray(data)
    found.form.offset.pack_into(changed, _place_of_first(found.form), offset)
    found.form.offset.pack_into(changed, found.end, 0)
    return bytes(changed)


def _place_of_first(form: Form) -> int:
    return 8 if form.is_big else 4
