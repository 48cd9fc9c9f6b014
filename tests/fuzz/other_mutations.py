"""Broken files of the other formats, valid enough for their readers to go on."""

import struct
import zlib

from jpeg_mutations import EXTREMES_8, exif_bomb, pick

EXTREMES_32 = (0, 1, 2, 7, 8, 255, 256, 32767, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


# ---- any format with a header ----------------------------------------------------------------


def header_fields(data, rng, length=128):
    """Numbers of 1, 2 or 4 bytes near the start, at even places, in both byte orders."""
    values = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        width = pick(rng, (1, 2, 4))
        number = pick(rng, EXTREMES_32) if rng.random() < 0.7 else int(rng.integers(2**32))
        at = 2 * int(rng.integers(length // 2))
        order = ('little', 'big')[rng.integers(2)]
        values[at : at + width] = (number % 256**width).to_bytes(width, order)
    return bytes(values)


def first_fields(data, rng):
    return header_fields(data, rng, 32)


HEADER = dict(header_fields=header_fields, first_fields=first_fields)


# ---- PNG -------------------------------------------------------------------------------------


def edits(change):
    """From a change of the list of chunks to one of the file; check sums are right."""

    def mutate(data, rng):
        chunks = split(data)
        change(chunks, rng)
        return data[:8] + b''.join(chunk(*c) for c in chunks)

    mutate.__name__ = change.__name__
    return mutate


def split(data):
    chunks, position = [], 8
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], 'big')
        content = data[position + 8 : position + 8 + length]
        chunks.append([data[position + 4 : position + 8], bytearray(content)])
        position += 12 + length
    return chunks


def chunk(kind, content, length=None):
    check_sum = zlib.crc32(kind + content)
    length = len(content) if length is None else length
    return struct.pack('>I', length) + kind + content + struct.pack('>I', check_sum)


@edits
def image_size(chunks, rng):
    """Of millions of pixels, or none."""
    for place in (0, 4):
        if rng.random() < 0.7:
            value = pick(rng, EXTREMES_32) if rng.random() < 0.5 else int(rng.integers(20000))
            chunks[0][1][place : place + 4] = struct.pack('>I', value)


@edits
def pixel_format(chunks, rng):
    for place in range(8, 13):
        if rng.random() < 0.4:
            chunks[0][1][place] = pick(rng, EXTREMES_8)


@edits
def dropped_chunk(chunks, rng):
    del chunks[rng.integers(len(chunks))]


@edits
def doubled_chunk(chunks, rng):
    at = rng.integers(len(chunks))
    chunks[at:at] = [chunks[at]] * int(rng.integers(1, 30))


@edits
def shuffled_chunks(chunks, rng):
    chunks[1:] = [chunks[i] for i in 1 + rng.permutation(len(chunks) - 1)]


@edits
def false_length(chunks, rng):
    chunks[rng.integers(len(chunks))].append(pick(rng, EXTREMES_32))


@edits
def chunk_bytes(chunks, rng):
    content = chunks[rng.integers(len(chunks))][1]
    for _ in range(rng.integers(1, 5)):
        if content:
            content[rng.integers(len(content))] = rng.integers(256)


@edits
def text_bomb(chunks, rng):
    """Some kilobytes that unpack to megabytes."""
    packed = zlib.compress(bytes(int(rng.integers(1, 30)) * 2**20))
    heads = {b'zTXt': b'a\0\0', b'iTXt': b'a\0\1\0\0\0', b'iCCP': b'a\0\0'}
    kind = list(heads)[rng.integers(3)]
    chunks[1:1] = [[kind, bytearray(heads[kind] + packed)]] * int(rng.integers(1, 6))


@edits
def pixel_bomb(chunks, rng):
    """Far more pixels than the header promises."""
    packed = zlib.compress(bytes(int(rng.integers(1, 50)) * 2**20))
    chunks.insert(-1, [b'IDAT', bytearray(packed)])


@edits
def frames(chunks, rng):
    number = pick(rng, EXTREMES_32)
    chunks.insert(1, [b'acTL', bytearray(struct.pack('>II', number, pick(rng, EXTREMES_32)))])


@edits
def exif(chunks, rng):
    chunks.insert(1, [b'eXIf', bytearray(exif_bomb(rng))])


@edits
def transparency(chunks, rng):
    chunks.insert(1, [b'tRNS', bytearray(rng.bytes(rng.integers(0, 300)))])


PNG = HEADER | {
    function.__name__: function
    for function in (
        image_size, pixel_format, dropped_chunk, doubled_chunk, shuffled_chunks, false_length,
        chunk_bytes, text_bomb, pixel_bomb, frames, exif, transparency,
    )
}  # fmt: skip


# ---- TIFF ------------------------------------------------------------------------------------


def directory(data):
    """Place of the first directory and number of its entries (Pillow writes little-endian)."""
    (offset,) = struct.unpack_from('<I', data, 4)
    return offset, struct.unpack_from('<H', data, offset)[0]


def tag_values(data, rng):
    """Sizes, counts, offsets and types of tags."""
    values, (offset, count) = bytearray(data), directory(data)
    for _ in range(rng.integers(1, 4)):
        entry = offset + 2 + 12 * int(rng.integers(count))
        place, width = ((0, 2), (2, 2), (4, 4), (8, 4), (8, 4), (8, 4))[rng.integers(6)]
        number = pick(rng, EXTREMES_32) if rng.random() < 0.6 else int(rng.integers(20000))
        values[entry + place : entry + place + width] = (number % 256**width).to_bytes(
            width, 'little'
        )
    return bytes(values)


def next_directory(data, rng):
    """Directories in a circle, or nowhere."""
    values, (offset, count) = bytearray(data), directory(data)
    target = pick(rng, (offset, 8, 4, len(data) - 1, len(data) + 100, 2**32 - 1))
    struct.pack_into('<I', values, offset + 2 + 12 * count, target)
    return bytes(values)


def number_of_tags(data, rng):
    values, (offset, count) = bytearray(data), directory(data)
    struct.pack_into('<H', values, offset, pick(rng, (0, 1, count - 1, count + 1, 300, 65535)))
    return bytes(values)


def large_file_version(data, rng):
    """BigTIFF by its number only."""
    return data[:2] + b'\x2b\x00' + data[4:]


TIFF = HEADER | dict(
    tag_values=tag_values, next_directory=next_directory, number_of_tags=number_of_tags,
    large_file_version=large_file_version,
)  # fmt: skip
