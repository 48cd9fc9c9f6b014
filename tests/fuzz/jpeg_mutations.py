"""Broken JPEGs. Names of segments as in ITU-T T.81, annex B."""

import struct

EXTREMES_8 = (0, 1, 2, 3, 4, 7, 15, 16, 63, 64, 127, 128, 254, 255)
EXTREMES_16 = (0, 1, 2, 7, 8, 9, 255, 256, 4096, 32767, 32768, 65500, 65535)
SOF, DHT, DQT, SOS = range(0xC0, 0xD0), 0xC4, 0xDB, 0xDA


def edits(change):
    """From a change of the list of segments to one of the file."""

    def mutate(data, rng):
        segments, scans = split(data)
        change(segments, rng)
        return b'\xff\xd8' + b''.join(map(joined, segments)) + scans

    mutate.__name__ = change.__name__
    return mutate


def split(data):
    """``[marker, content]`` of each segment up to the first scan, and what follows."""
    segments, position = [], 2
    while True:
        marker, length = struct.unpack_from('>xBH', data, position)
        segments.append([marker, bytearray(data[position + 4 : position + 2 + length])])
        position += 2 + length
        if marker == SOS:
            return segments, data[position:]


def joined(segment):
    marker, content = segment[:2]
    length = segment[2] if len(segment) > 2 else len(content) + 2  # a third item is a lie
    return struct.pack('>BBH', 0xFF, marker, length % 65536) + bytes(content)


def pick(rng, values):
    return int(values[rng.integers(len(values))])


def any_of(segments, rng, *markers):
    found = [segment for segment in segments if segment[0] in markers]
    return found[rng.integers(len(found))] if found else segments[rng.integers(len(segments))]


def frame(segments):
    return next(s for s in segments if s[0] in SOF and s[0] != DHT)


def corrupted(content, rng, values=EXTREMES_8):
    for _ in range(rng.integers(1, 5)):
        if content:
            content[rng.integers(len(content))] = pick(rng, values)


# ---- the frame -------------------------------------------------------------------------------


@edits
def frame_size(segments, rng):
    for place in rng.permutation([1, 3])[: rng.integers(1, 3)]:
        value = pick(rng, EXTREMES_16) if rng.random() < 0.6 else int(rng.integers(65536))
        frame(segments)[1][place : place + 2] = struct.pack('>H', value)


@edits
def frame_kind(segments, rng):
    """Lossless, hierarchical, arithmetic-coded, progressive, though the scans are not."""
    frame(segments)[0] = pick(rng, [m for m in SOF if m != DHT])


@edits
def precision(segments, rng):
    frame(segments)[1][0] = pick(rng, (0, 1, 2, 7, 9, 10, 12, 16, 255))


@edits
def components(segments, rng):
    content = frame(segments)[1]
    count = pick(rng, (0, 1, 2, 3, 4, 5, 10, 255))
    content[5] = count
    if rng.random() < 0.7:  # as many as it says
        content[6:] = (bytes(content[6:]) * 300)[: 3 * count]


@edits
def sampling_factors(segments, rng):
    content = frame(segments)[1]
    for place in range(7, len(content), 3):
        content[place] = pick(rng, (0x00, 0x01, 0x11, 0x12, 0x21, 0x22, 0x31, 0x13, 0x44, 0xF1))


@edits
def table_numbers(segments, rng):
    content = frame(segments)[1]
    for place in range(8, len(content), 3):
        content[place] = pick(rng, (0, 1, 2, 3, 4, 255))


@edits
def frame_bytes(segments, rng):
    corrupted(frame(segments)[1], rng)


# ---- tables ----------------------------------------------------------------------------------


@edits
def quantisation_bytes(segments, rng):
    corrupted(any_of(segments, rng, DQT)[1], rng)


@edits
def quantisation_table(segments, rng):
    """All steps 0, the largest, in 16 bits, too few, or of a table that cannot be."""
    segment = any_of(segments, rng, DQT)
    segment[1][:] = [
        bytes([0]) + bytes(64),
        bytes([0]) + b'\xff' * 64,
        bytes([16]) + b'\xff' * 128,
        bytes([0]) + bytes(10),
        bytes([4]) + b'\x10' * 64,
        bytes([0xF0]) + b'\x10' * 64,
        bytes([32]) + bytes(range(128)),
    ][rng.integers(7)]


@edits
def huffman_bytes(segments, rng):
    corrupted(any_of(segments, rng, DHT)[1], rng)


@edits
def huffman_counts(segments, rng):
    """Too many codes, none, or more values than there are."""
    content = any_of(segments, rng, DHT)[1]
    counts = [bytes(16), b'\xff' * 16, bytes(15) + b'\xff', b'\x03' + bytes(15), rng.bytes(16)]
    content[1:17] = counts[rng.integers(len(counts))]


@edits
def huffman_values(segments, rng):
    content = any_of(segments, rng, DHT)[1]
    content[17:] = rng.bytes(len(content[17:]))


# ---- the sequence of segments ----------------------------------------------------------------


@edits
def dropped(segments, rng):
    del segments[rng.integers(len(segments))]


@edits
def doubled(segments, rng):
    at = rng.integers(len(segments))
    segments[at:at] = [segments[at]] * int(rng.integers(1, 30))


@edits
def shuffled(segments, rng):
    segments[:] = [segments[i] for i in rng.permutation(len(segments))]


@edits
def false_length(segments, rng):
    segment = segments[rng.integers(len(segments))]
    right = len(segment[1]) + 2
    segment.append(pick(rng, (0, 1, 2, 3, right - 1, right + 1, right + 300, 65535)))


@edits
def other_marker(segments, rng):
    segments[rng.integers(len(segments))][0] = int(rng.integers(256))


@edits
def second_frame(segments, rng):
    """Two frame headers that disagree: readers may believe different ones."""
    other = bytearray(frame(segments)[1])
    other[1:5] = struct.pack('>HH', *rng.choice([1, 8, 64, 900, 5000], 2).tolist())
    marker = pick(rng, (0xC0, 0xC1, 0xC2, 0xC3, 0xDE, 0xDC, 0xF7))
    segments.insert(rng.integers(len(segments)), [marker, other])


@edits
def restart_interval(segments, rng):
    segments.insert(0, [0xDD, bytearray(struct.pack('>H', pick(rng, EXTREMES_16)))])


@edits
def scan_header(segments, rng):
    corrupted(segments[-1][1], rng)


# ---- application data ------------------------------------------------------------------------


@edits
def many_comments(segments, rng):
    marker = pick(rng, (0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE))
    segments[:0] = [[marker, bytearray(rng.bytes(8) + bytes(60000))]] * int(rng.integers(1, 40))


@edits
def adobe(segments, rng):
    transform = bytes([pick(rng, EXTREMES_8)])
    segments.insert(0, [0xEE, bytearray(b'Adobe\x00\x64\x00\x00\x00\x00' + transform)])


@edits
def exif(segments, rng):
    """Directories that point to themselves, tags of huge counts, offsets out of the file."""
    segments.insert(0, [0xE1, bytearray(b'Exif\x00\x00' + exif_bomb(rng))])


def exif_bomb(rng):
    order = '<>'[rng.integers(2)]
    header = (b'II*\x00' if order == '<' else b'MM\x00*') + struct.pack(order + 'I', 8)
    count = int(rng.integers(1, 60))
    tags = (274, 34665, 34853, 40965, 330, 271, 513, 514, 37500, 37510, 700)
    entries = b''.join(
        struct.pack(
            order + 'HHII',
            pick(rng, tags),
            int(rng.integers(0, 16)),
            pick(rng, (0, 1, 2, 1000, 2**16, 2**31 - 1, 2**32 - 1)),
            pick(rng, (0, 1, 8, 20, 300, 2**31, 2**32 - 1)),
        )
        for _ in range(count)
    )
    next_directory = struct.pack(order + 'I', pick(rng, (0, 8, 8, 20, 2**32 - 1)))
    return header + struct.pack(order + 'H', count) + entries + next_directory + rng.bytes(64)


@edits
def multi_picture(segments, rng):
    segments.insert(0, [0xE2, bytearray(b'MPF\x00' + exif_bomb(rng))])


@edits
def profile(segments, rng):
    numbers = [bytes([pick(rng, EXTREMES_8), pick(rng, EXTREMES_8)]) for _ in range(3)]
    segments[:0] = [[0xE2, bytearray(b'ICC_PROFILE\x00' + n + rng.bytes(200))] for n in numbers]


# ---- scans -----------------------------------------------------------------------------------


def markers_in_scan(data, rng):
    scans = split(data)[1]
    values = bytearray(scans)
    for _ in range(rng.integers(1, 20)):
        at = int(rng.integers(len(values)))
        values[at : at + 2] = bytes([0xFF, rng.integers(256)])
    return data[: len(data) - len(scans)] + bytes(values)


def many_scans(data, rng):
    """The scans over and over: small files that cost much time."""
    start = data.index(b'\xff\xda')
    scans = data[start:].removesuffix(b'\xff\xd9')
    return data[:start] + scans * int(rng.integers(2, 400)) + b'\xff\xd9'


def many_empty_scans(data, rng):
    start = data.index(b'\xff\xda')
    segments, scans = split(data)
    header = joined(segments[-1])
    return data[:start] + header * int(rng.integers(2, 5000)) + scans


def many_ends(data, rng):
    return data + b'\xff\xd9' * int(rng.integers(1, 1000)) + data


ALL = {
    function.__name__: function
    for function in (
        frame_size, frame_kind, precision, components, sampling_factors, table_numbers, frame_bytes,
        quantisation_bytes, quantisation_table, huffman_bytes, huffman_counts, huffman_values,
        dropped, doubled, shuffled, false_length, other_marker, second_frame, restart_interval,
        scan_header, many_comments, adobe, exif, multi_picture, profile, markers_in_scan,
        many_scans, many_empty_scans, many_ends,
    )
}  # fmt: skip
