"""TIFFs written by hand: any tags, any number of directories, both orders, classic and BigTIFF."""

import struct

LETTERS = {1: 'B', 2: 'B', 3: 'H', 4: 'I', 5: '2I', 7: 'B', 13: 'I', 16: 'Q', 18: 'Q'}
STRIPS, COUNTS, TILES, TILE_COUNTS, SUB_IFDS = 273, 279, 324, 325, 330


class Page(dict):
    """Tags of a directory: a number, a list of numbers (both SHORT or LONG), bytes (UNDEFINED), or
    (type, values); and what it holds.

    Args:
        tags: By their numbers.
        strips: Bytes of the strips; their offsets and sizes become tags.
        below: Further pages, in SubIFDs.
        tiled: Whether the strips are tiles.
    """

    def __init__(self, tags, strips=(), below=(), tiled=False):
        super().__init__(tags)
        self.strips, self.below, self.tiled = list(strips), list(below), tiled


class _Writer:
    def __init__(self, order, big):
        self.order, self.big = order, big
        self.offset = 'Q' if big else 'I'
        sign = (b'II' if order == '<' else b'MM') + self.pack('H', 43 if big else 42)
        self.data = bytearray(sign + (self.pack('HHQ', 8, 0, 0) if big else bytes(4)))
        self.link = 8 if big else 4

    def pack(self, letters, *values):
        return struct.pack(self.order + letters, *values)

    def append(self, data):
        self.data += bytes(len(self.data) % 2)
        self.data += data
        return len(self.data) - len(data)

    def chain(self, pages, link):
        """Write pages, each linked from the one before, the first from the place ``link``."""
        for page in pages:
            offset, end = self.directory(page)
            struct.pack_into(self.order + self.offset, self.data, link, offset)
            link = end

    def sub(self, page):
        return self.directory(page)[0]

    def directory(self, page):
        tags = dict(page)
        if page.strips:
            offsets = [self.append(strip) for strip in page.strips]
            kind = 16 if self.big else 4
            tags[TILES if page.tiled else STRIPS] = (kind, offsets)
            sizes = [len(strip) for strip in page.strips]
            tags[TILE_COUNTS if page.tiled else COUNTS] = (kind, sizes)
        if page.below:
            offsets = [self.sub(each) for each in page.below]
            tags[SUB_IFDS] = (18 if self.big else 13, offsets)
        fields = b''.join(self.field(tag, tags[tag]) for tag in sorted(tags))
        count = self.pack('Q' if self.big else 'H', len(tags))
        offset = self.append(count + fields + self.pack(self.offset, 0))
        return offset, offset + len(count) + len(fields)

    def field(self, tag, value):
        kind, values = value if isinstance(value, tuple) else _typed(value)
        letters, number = LETTERS[kind] * len(values), len(values)
        if kind == 5:
            letters, values = '2I' * len(values), [half for pair in values for half in pair]
        content = self.pack(letters, *values)
        room = 8 if self.big else 4
        if len(content) > room:
            content = self.pack(self.offset, self.append(content))
        head = self.pack('HHQ' if self.big else 'HHI', tag, kind, number)
        return head + content.ljust(room, b'\0')


def _typed(value):
    if isinstance(value, bytes):
        return 7, value
    values = [value] if isinstance(value, int) else list(value)
    return (3 if max(values) < 1 << 16 else 4), values


def tiff_bytes(*pages, order='<', big=False):
    """A whole file of pages."""
    writer = _Writer(order, big)
    writer.chain(pages, writer.link)
    return bytes(writer.data)
