"""Coefficients and quantisation tables of a JPEG, decoded bit by bit after ITU-T T.81.

Shares nothing with libjpeg or with the code under test: the reference of both.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

ZIGZAG = sorted(
    range(64),
    key=lambda n: (n // 8 + n % 8, n // 8 if (n // 8 + n % 8) % 2 else n % 8),
)
"""Place in the block (row times 8 plus column) of each coefficient in the file's order."""


def quotient(number, divisor):
    """Rounded up."""
    return -(-number // divisor)


@dataclass
class Component:
    """One plane: sampling factors, its table as it was when its first scan began, its blocks."""

    width: int
    height: int
    table: int
    blocks_across: int = 0
    blocks_down: int = 0
    quantisation: list | None = None
    blocks: dict = field(default_factory=lambda: defaultdict(lambda: [0] * 64))


class Bits:
    """Bits of one restart interval, highest first; past the end there are none."""

    def __init__(self, data):
        self.data, self.place = data, 0
        # A few bytes at a time: to cut bits from a large number takes time that grows with it.
        self.store, self.held = 0, 0

    def fill(self, count):
        """Hold at least so many bits."""
        while self.held < count:
            if self.place >= len(self.data):
                raise EOFError('expected more coded data')
            chunk = self.data[self.place : self.place + 8]
            self.store = (self.store << 8 * len(chunk)) | int.from_bytes(chunk, 'big')
            self.place += len(chunk)
            self.held += 8 * len(chunk)

    def take(self, count):
        """The next bits as a number."""
        if not count:
            return 0
        self.fill(count)
        self.held -= count
        bits = self.store >> self.held
        self.store &= (1 << self.held) - 1
        return bits

    def symbol(self, codes):
        """The next Huffman code's value; ``codes`` has it by ``(length, code)``."""
        code = 0
        for length in range(1, 17):
            code = code << 1 | self.take(1)
            if (length, code) in codes:
                return codes[length, code]
        raise ValueError('no such Huffman code')

    def number(self, size):
        """Of ``size`` bits with the sign in the first (figure F.12)."""
        bits = self.take(size)
        return bits if not size or bits >> (size - 1) else bits - (1 << size) + 1


class Decoder:
    """``Decoder(data).components``: all coefficients of a sequential or progressive JPEG."""

    def __init__(self, data):
        self.data, self.tables, self.codes, self.interval = data, {}, {}, 0
        self.components, self.width, self.height = {}, 0, 0
        place = 2
        while place < len(data):
            if data[place] != 0xFF:
                raise ValueError(f'expected a marker at {place}')
            while data[place] == 0xFF:
                place += 1
            marker = data[place]
            place += 1
            if marker == 0xD9:
                return
            length = int.from_bytes(data[place : place + 2], 'big')
            content, place = data[place + 2 : place + length], place + length
            place = self.segment(marker, content, place)
        raise ValueError('no end of image')

    def segment(self, marker, content, place):
        if marker == 0xDB:
            self.define_quantisation(content)
        elif marker == 0xC4:
            self.define_codes(content)
        elif marker == 0xDD:
            self.interval = int.from_bytes(content, 'big')
        elif marker in (0xC0, 0xC1, 0xC2):
            self.progressive = marker == 0xC2
            self.define_frame(content)
        elif marker == 0xDA:
            return self.scan(content, place)
        elif 0xC0 <= marker <= 0xCF:
            raise ValueError(f'process {marker:x} is not decoded here')
        return place

    def define_quantisation(self, content):
        while content:
            size, number = 1 + (content[0] >> 4), content[0] & 15
            table = [0] * 64
            for index, spot in enumerate(ZIGZAG):
                start = 1 + size * index
                table[spot] = int.from_bytes(content[start : start + size], 'big')
            self.tables[number], content = table, content[1 + 64 * size :]

    def define_codes(self, content):
        while content:
            counts, code, start = content[1:17], 0, 17
            codes = {}
            for length, count in enumerate(counts, 1):
                for symbol in content[start : start + count]:
                    codes[length, code] = symbol
                    code += 1
                start, code = start + count, code << 1
            self.codes[content[0]], content = codes, content[start:]

    def define_frame(self, content):
        self.height, self.width = (int.from_bytes(content[n : n + 2], 'big') for n in (1, 3))
        for name, factors, table in zip(content[6::3], content[7::3], content[8::3], strict=True):
            self.components[name] = Component(factors >> 4, factors & 15, table)
        across = max(part.width for part in self.components.values())
        down = max(part.height for part in self.components.values())
        self.units = quotient(self.width, 8 * across), quotient(self.height, 8 * down)
        for part in self.components.values():
            part.blocks_across = quotient(quotient(self.width * part.width, across), 8)
            part.blocks_down = quotient(quotient(self.height * part.height, down), 8)

    def scan(self, content, place):
        count = content[0]
        parts = [
            (self.components[content[1 + 2 * n]], content[2 + 2 * n] >> 4, content[2 + 2 * n] & 15)
            for n in range(count)
        ]
        for part, *_ in parts:
            if part.quantisation is None:
                part.quantisation = self.tables[part.table]
        first, last, bits = content[1 + 2 * count :]
        self.first, self.last, self.high, self.low = first, last, bits >> 4, bits & 15
        intervals, place = self.intervals(place)
        units = [*self.units_of(parts)]
        step = self.interval or len(units)
        for number, coded in enumerate(intervals):
            reader, self.before, self.run = Bits(coded), defaultdict(int), 0
            for unit in units[number * step : (number + 1) * step]:
                for index, spot in unit:
                    part, dc, ac = parts[index]
                    self.block(reader, part.blocks[spot], index, self.codes.get(dc, {}),
                               self.codes.get(16 + ac, {}))  # fmt: skip
        return place

    def intervals(self, place):
        """Coded data between restart markers, without their stuffing."""
        found, start = [], place
        while True:
            place = self.data.index(b'\xff', place)
            marker = self.data[place + 1]
            if marker == 0:
                place += 2
            elif marker == 0xFF:
                place += 1
            else:
                found.append(self.data[start:place].replace(b'\xff\0', b'\xff'))
                if not 0xD0 <= marker <= 0xD7:
                    return found, place
                place = start = place + 2

    def units_of(self, parts):
        """Blocks of each minimum coded unit: ``(component of the scan, (row, column))``."""
        if len(parts) == 1:
            part = parts[0][0]
            for row in range(part.blocks_down):
                for column in range(part.blocks_across):
                    yield [(0, (row, column))]
            return
        for row in range(self.units[1]):
            for column in range(self.units[0]):
                yield [
                    (index, (row * part.height + down, column * part.width + across))
                    for index, (part, *_) in enumerate(parts)
                    for down in range(part.height) for across in range(part.width)
                ]  # fmt: skip

    def block(self, reader, block, index, dc, ac):
        if not self.progressive:
            self.dc_first(reader, block, index, dc)
            place = 1
            while place < 64:
                symbol = reader.symbol(ac)
                if symbol == 0:
                    break
                place += symbol >> 4
                if symbol & 15:
                    block[ZIGZAG[place]] = reader.number(symbol & 15)
                place += 1
        elif self.first == 0:
            if self.high == 0:
                self.dc_first(reader, block, index, dc)
            elif reader.take(1):
                block[0] |= 1 << self.low
        elif self.high == 0:
            self.ac_first(reader, block, ac)
        else:
            self.ac_refined(reader, block, ac)

    def dc_first(self, reader, block, index, dc):
        self.before[index] += reader.number(reader.symbol(dc))
        block[0] = self.before[index] << self.low

    def ac_first(self, reader, block, ac):
        """Section G.1.2.2."""
        if self.run:
            self.run -= 1
            return
        place = self.first
        while place <= self.last:
            symbol = reader.symbol(ac)
            zeros, size = symbol >> 4, symbol & 15
            if size:
                place += zeros
                block[ZIGZAG[place]] = reader.number(size) << self.low
            elif zeros == 15:
                place += 15
            else:
                self.run = (1 << zeros) - 1 + reader.take(zeros)
                return
            place += 1

    def ac_refined(self, reader, block, ac):
        """Section G.1.2.3."""
        step, place = 1 << self.low, self.first
        if not self.run:
            while place <= self.last:
                symbol = reader.symbol(ac)
                zeros, size = symbol >> 4, symbol & 15
                if not size and zeros < 15:
                    self.run = (1 << zeros) + reader.take(zeros)
                    break
                fresh = (step if reader.take(1) else -step) if size else 0
                while place <= self.last:
                    spot = ZIGZAG[place]
                    if block[spot]:
                        self.refine(reader, block, spot, step)
                    elif zeros:
                        zeros -= 1
                    else:
                        block[spot] = fresh
                        break
                    place += 1
                place += 1
        if self.run:
            for spot in ZIGZAG[place : self.last + 1]:
                if block[spot]:
                    self.refine(reader, block, spot, step)
            self.run -= 1

    @staticmethod
    def refine(reader, block, spot, step):
        if reader.take(1):
            block[spot] += step if block[spot] > 0 else -step


def luma_of(data):
    """Coefficients ``(H', W')`` in their places and the table (8, 8) of the first component."""
    decoder = Decoder(data)
    part = next(iter(decoder.components.values()))
    rows, columns = part.blocks_down, part.blocks_across
    blocks = np.array(
        [[part.blocks[row, column] for column in range(columns)] for row in range(rows)]
    )
    in_place = blocks.reshape(rows, columns, 8, 8).transpose(0, 2, 1, 3)
    return in_place.reshape(8 * rows, 8 * columns), np.array(part.quantisation).reshape(8, 8)
