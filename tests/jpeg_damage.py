"""Damage to whole JPEGs, by kind, each with what a person must be told of it.

``ALL[kind](data, rng)`` gives the damaged file and a regular expression that one of its notes
matches, or ``None`` where a file cannot be damaged so.
"""

import re
import zipfile
from io import BytesIO

import numpy as np
from PIL import Image

SOS, EOI, DQT, DHT, DRI = 0xDA, 0xD9, 0xDB, 0xC4, 0xDD
EARLY = r'data end before its picture does: (about \d+ %|less than 1 %) of its blocks are missing'
MISSING_SCANS = r'scans are missing: \d+ of the 64|mean of each block alone|no scan holds component'
RESTARTS = r'restart markers are wrong \(\d+ instead of \d+; .*blocks from about \d+ % of the'
STRAY_MARKER = r'stray marker \(0x{:02x} at byte [\d,]+\) interrupts its coded data at'
SECTOR = r'[\d,]+ bytes of its coded data are {} \(from byte [\d,]+ on, at .* %'
LEFT_OVER = r'at least [\d,]+ bytes of its coded data are left over'
FOLLOWS = r'{:,} bytes? follows? its end \(at byte {:,}\), {}'
RESTART = re.compile(rb'\xff[\xd0-\xd7]')


# ---- taking apart ----------------------------------------------------------------------------


def parts_of(data):
    """``[marker, content, coded data]`` of each segment of a whole JPEG, and what follows it."""
    parts, at = [], 2
    while data[at + 1] != EOI:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], 'big')
        stop = end
        if data[at + 1] == SOS:
            stop = re.compile(rb'\xff[^\0\xd0-\xd7]').search(data, end).start()
        parts.append([data[at + 1], data[at + 4 : end], data[end:stop]])
        at = stop
    return parts, data[at + 2 :]


def put_together(parts, tail=b''):
    joined = (
        bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, 'big') + content + coded
        for marker, content, coded in parts
    )
    return b'\xff\xd8' + b''.join(joined) + b'\xff\xd9' + tail


def scans_of(parts):
    return [part for part in parts if part[0] == SOS]


def frame_of(parts):
    return next(p for p in parts if 0xC0 <= p[0] <= 0xCF and p[0] not in (0xC4, 0xC8, 0xCC))


def is_progressive(parts):
    return frame_of(parts)[0] == 0xC2


def on_parts(change):
    """From a change of the parts, which returns the note, to one of the file."""

    def damage(data, rng):
        parts, tail = parts_of(data)
        note = change(parts, rng)
        return None if note is None else (put_together(parts, tail), note)

    damage.__name__ = change.__name__
    return damage


def whole_codes(coded, at):
    """A place that tears neither a stuffed byte nor a marker apart."""
    return at + (coded[at - 1] == 0xFF)


# ---- the coded data --------------------------------------------------------------------------


def _cut(coded, rng):
    return coded[: whole_codes(coded, int(len(coded) * rng.uniform(0.1, 0.9)))]


@on_parts
def cut_and_closed(parts, rng):
    """Behind the cut, which lies in any scan, there is nothing but the end."""
    where = [i for i, part in enumerate(parts) if part[0] == SOS and len(part[2]) >= 60]
    if not where:
        return None
    last = where[rng.integers(len(where))]
    earlier = last < max(i for i, part in enumerate(parts) if part[0] == SOS)
    parts[last][2] = _cut(parts[last][2], rng)
    del parts[last + 1 :]
    restarts = RESTART.search(parts[last][2])
    return MISSING_SCANS if earlier else f'{EARLY}|{RESTARTS}' if restarts else EARLY


@on_parts
def scan_cut(parts, rng):
    """The end of one scan is missing, the others follow."""
    scans = [part for part in scans_of(parts)[:-1] if len(part[2]) >= 40]
    if not scans:
        return None
    scan = scans[rng.integers(len(scans))]
    scan[2] = scan[2][: whole_codes(scan[2], len(scan[2]) // 3)]
    return EARLY


@on_parts
def zeroed_sector(parts, rng):
    """Of files whose zeros are no flat picture: those with the usual tables."""
    scan = max(scans_of(parts), key=lambda part: len(part[2]))
    length = int(rng.integers(40, 600))
    if len(scan[2]) < 2 * length or is_progressive(parts) or not _has_usual_tables(parts):
        return None
    at = int(rng.integers(len(scan[2]) - length))
    scan[2] = scan[2][:at] + bytes(length) + scan[2][at + length :]
    return SECTOR.format('zero')


@on_parts
def sector_of_ones(parts, rng):
    scan = max(scans_of(parts), key=lambda part: len(part[2]))
    length = int(rng.integers(40, 600))
    if len(scan[2]) < 2 * length or is_progressive(parts):
        return None
    at = int(rng.integers(len(scan[2]) - length))
    scan[2] = scan[2][:at] + b'\xff' * length + scan[2][at + length :]
    # The next byte makes a marker of the last one, which may be any.
    return f'{SECTOR.format("0xff")}|{RESTARTS}|{EARLY}|data are broken|cannot be decoded'


def _has_usual_tables(parts):
    """Whose shortest code of detail, zeros, is not that of the end of a block."""
    codes = b''.join(content for marker, content, _ in parts if marker == DHT)
    return bytes.fromhex('1000020103030204030505040400000 17d'.replace(' ', '')) in codes


@on_parts
def stray_marker_in_scan(parts, rng):
    """Of reserved codes and of frames. Few decoders go on behind it."""
    scan = max(scans_of(parts), key=lambda part: len(part[2]))
    if len(scan[2]) < 60 or is_progressive(parts):
        return None
    code = [0x02, 0x3A, 0xBF, 0xC1, 0xC8, 0xD8, 0xF0][rng.integers(7)]
    at = whole_codes(scan[2], int(rng.integers(20, len(scan[2]) - 20)))
    scan[2] = scan[2][:at] + bytes([0xFF, code]) + scan[2][at:]
    return STRAY_MARKER.format(code) + '|cannot be decoded'


@on_parts
def left_over(parts, rng):
    """The header says that there are fewer rows than there are."""
    frame, (*_, last) = frame_of(parts), scans_of(parts)
    height = int.from_bytes(frame[1][1:3], 'big')
    rows = 8 * max(factor & 15 for factor in frame[1][7::3])
    wanted = height // rows // 2 * rows
    if is_progressive(parts) or not wanted or RESTART.search(last[2]) or len(last[2]) < 200:
        return None
    frame[1] = frame[1][:1] + wanted.to_bytes(2, 'big') + frame[1][3:]
    return LEFT_OVER


@on_parts
def more_rows(parts, rng):
    """The header says that there are more rows than there are."""
    frame = frame_of(parts)
    height = 2 * int.from_bytes(frame[1][1:3], 'big') + 16
    frame[1] = frame[1][:1] + height.to_bytes(2, 'big') + frame[1][3:]
    return f'{EARLY}|{RESTARTS}'


# ---- restarts --------------------------------------------------------------------------------


def with_other_restarts(change):
    @on_parts
    def damage(parts, rng):
        scan = max(scans_of(parts), key=lambda part: len(RESTART.findall(part[2])))
        intervals, numbers = RESTART.split(scan[2]), RESTART.findall(scan[2])
        if len(numbers) < 3:
            return None
        change(intervals, numbers, rng)
        between = [*numbers, b'']
        scan[2] = b''.join(a + b for a, b in zip(intervals, between, strict=True))
        return RESTARTS

    damage.__name__ = change.__name__
    return damage


@with_other_restarts
def restart_of_another_number(intervals, numbers, rng):
    which = rng.integers(len(numbers))
    numbers[which] = bytes([0xFF, 0xD0 + (numbers[which][1] + rng.integers(1, 8)) % 8])


@with_other_restarts
def restart_missing(intervals, numbers, rng):
    which = int(rng.integers(len(numbers)))
    del numbers[which]
    intervals[which : which + 2] = [b''.join(intervals[which : which + 2])]


@with_other_restarts
def interval_missing(intervals, numbers, rng):
    which = int(rng.integers(len(numbers)))
    del numbers[which], intervals[which]


@with_other_restarts
def restart_twice(intervals, numbers, rng):
    which = int(rng.integers(len(numbers)))
    numbers[which] *= 2


@with_other_restarts
def intervals_exchanged(intervals, numbers, rng):
    """With their markers."""
    which = int(rng.integers(len(numbers) - 1))
    numbers[which : which + 2] = numbers[which : which + 2][::-1]


@on_parts
def restart_where_none_is_due(parts, rng):
    scan = max(scans_of(parts), key=lambda part: len(part[2]))
    if any(part[0] == DRI for part in parts) or len(scan[2]) < 20:
        return None
    at = whole_codes(scan[2], int(rng.integers(10, len(scan[2]) - 5)))
    scan[2] = scan[2][:at] + b'\xff\xd0' + scan[2][at:]
    return RESTARTS


@on_parts
def interval_changed(parts, rng):
    interval = next((part for part in parts if part[0] == DRI), None)
    if interval is None or not RESTART.search(scans_of(parts)[0][2]):
        return None
    interval[1] = (int.from_bytes(interval[1], 'big') + 1).to_bytes(2, 'big')
    return f'{RESTARTS}|{EARLY}'


# ---- scans -----------------------------------------------------------------------------------


def dc_alone(data, rng):
    parts, tail = parts_of(data)
    if not is_progressive(parts):
        return None
    parts = [part for part in parts if part[0] != SOS or part[1][-3] == 0]
    return put_together(parts, tail), 'mean of each block alone'


def scans_missing(data, rng):
    parts, tail = parts_of(data)
    # One that leaves bits to others is not missed: they tell of it too.
    scans = [i for i, part in enumerate(parts) if part[0] == SOS and part[1][-1] % 16 == 0][1:]
    if not scans:
        return None
    gone = scans[rng.integers(len(scans))]
    return put_together(parts[:gone] + parts[gone + 1 :], tail), MISSING_SCANS


# ---- tables ----------------------------------------------------------------------------------


def _zeros(count):
    @on_parts
    def damage(parts, rng):
        for part in parts:
            if part[0] == DQT and part[1][0] < 16 and len(part[1]) >= 65:
                steps = bytearray(part[1])
                first = 1 if count == 64 else 1 + int(rng.integers(64))
                steps[first : first + count] = bytes(count)
                part[1] = bytes(steps)
                return rf'{count} of the 64 quantisation steps of component \d are 0'
        return None

    return damage


@on_parts
def table_twice(parts, rng):
    at = next(i for i, part in enumerate(parts) if part[0] == DQT)
    other = bytearray(parts[at][1])
    other[1] = other[1] % 255 + 1
    parts.insert(at, [DQT, bytes(other), b''])
    return 'defines quantisation table 0 twice and not alike'


def codes_missing(data, rng):
    parts, tail = parts_of(data)
    if is_progressive(parts) or not _has_usual_tables(parts):
        return None
    return put_together([p for p in parts if p[0] != DHT], tail), 'lacks Huffman tables'


# ---- what is no part of the picture ----------------------------------------------------------


def _archive():
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, 'w') as file:
        file.writestr('a.txt', 'text')
    return buffer.getvalue()


def _saved(image_format):
    buffer = BytesIO()
    Image.new('RGB', (16, 16), 'red').save(buffer, image_format)
    return buffer.getvalue()


TAILS = {
    'another JPEG': lambda rng: _saved('JPEG'),
    'another image': lambda rng: _saved(['PNG', 'GIF', 'TIFF', 'WEBP'][rng.integers(4)]),
    r'an archive \(as ZIP\)': lambda rng: _archive(),
    'a PDF': lambda rng: b'%PDF-1.4\n' + rng.bytes(200),
    r'a video \(as of a motion photo\)': lambda rng: b'\0\0\0\x18ftypmp42' + rng.bytes(200),
    'text': lambda rng: b'The quick brown fox\n' * int(rng.integers(1, 50)),
    r'padding \(zeros\)': lambda rng: bytes(int(rng.integers(1, 5000))),
    r'padding \(0xff\)': lambda rng: b'\xff' * int(rng.integers(1, 5000)),
    'of no known kind': lambda rng: b'\1\2\3' + rng.bytes(int(rng.integers(1, 3000))),
    'data that Samsung cameras add': lambda rng: b'\0\0\1\nImage_UTC_Data' + bytes(40) + b'SEFT',
}


def _tail(kind):
    def damage(data, rng):
        if kind.startswith('padding') and parts_of(data)[1]:
            return None  # pictures in a row may have some between them
        tail = TAILS[kind](rng)
        return data + tail, FOLLOWS.format(len(tail), len(data), kind)

    return damage


def _inserted(data, at, content):
    """In front of segment ``at``."""
    parts, tail = parts_of(data)
    before = put_together(parts[:at])[:-2]
    return before + content + put_together(parts[at:], tail)[2:], len(before)


def _place(data, rng):
    """In front of any segment up to the first scan."""
    markers = [part[0] for part in parts_of(data)[0]]
    return int(rng.integers(1, markers.index(SOS) + 1))


def stray_bytes(data, rng):
    content = bytes(rng.integers(0, 255, int(rng.integers(1, 100)), np.uint8))
    damaged, at = _inserted(data, _place(data, rng), content)
    return damaged, rf'{len(content)} stray byte\(s\) at byte {at:,}'


def stray_marker(data, rng):
    code = [0x01, *range(0xD0, 0xD8)][rng.integers(9)]
    damaged, at = _inserted(data, _place(data, rng), bytes([0xFF, code]))
    return damaged, rf'a stray marker \(0x{code:02x}\) at byte {at:,}'


def end_missing(data, rng):
    if parts_of(data)[1]:
        return None
    return data[: -int(rng.integers(1, 3))], 'last two bytes, the end of a JPEG, are missing; the'


def exif_alien(data, rng):
    content = [bytes(300), b'http://ns.example/ap/1.0/' + b'x' * 60, rng.bytes(200)]
    exif = b'Exif\0\0' + content[rng.integers(3)]
    damaged, _ = _inserted(data, 0, b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif)
    return damaged, 'its EXIF cannot be read'


ALL = {
    **{function.__name__: function for function in (
        cut_and_closed, scan_cut, zeroed_sector, sector_of_ones, stray_marker_in_scan, left_over,
        more_rows, restart_of_another_number, restart_missing, interval_missing, restart_twice,
        intervals_exchanged, restart_where_none_is_due, interval_changed, dc_alone, scans_missing,
        table_twice, codes_missing, stray_bytes, stray_marker, end_missing, exif_alien,
    )},
    'all_steps_zero': _zeros(64), 'a_step_zero': _zeros(1),
    **{f'followed by {re.sub("[^a-zA-Z ]", "", kind)}': _tail(kind) for kind in TAILS},
}  # fmt: skip
HARMLESS = {
    'left_over', 'table_twice', 'codes_missing', 'stray_bytes', 'stray_marker', 'exif_alien',
    *(kind for kind in ALL if kind.startswith('followed')),
}  # fmt: skip
"""Of which pixels are still those that were saved, or may be."""
