"""Files that would hang, fill the memory or take minutes, were they read like any other."""

import os
import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

from mmomni.jpeg.guarded import LARGEST_UNKNOWN
from mmomni.jpeg.limits import MAX_PIXELS, MOST_SCANS

REASONS = {
    'pipe': 'got a pipe',
    'endless': 'got a device',
    'folder': 'got a folder',
    'scans': f'expected at most {MOST_SCANS} scans in a JPEG, got',
    'bomb': f'expected at most {MAX_PIXELS:,} pixels, got',
    'line': f'expected at most {MAX_PIXELS:,} pixels, got 1 x 9000000, padded to 32',
    'sparse': 'bytes of no known format',
    'huge': f'bytes, more than {MAX_PIXELS:,} pixels can take',
    'program': 'got PostScript',
}
"""What is said of each, by its kind."""


def make_hostile(folder, kind, suffix='.jpg'):
    """The path of one, called like an image."""
    path = folder / f'{kind}{suffix}'
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'endless':
        path.symlink_to('/dev/zero')
    elif kind == 'folder':
        path.mkdir()
    else:
        path.write_bytes(CONTENTS[kind]())
    if kind in SPARSE:
        os.truncate(path, SPARSE[kind])
    return path


def many_scans(number=MOST_SCANS + 1):
    """A progressive JPEG of 32 px whose last scan is there again and again."""
    data = _saved('JPEG', progressive=True)
    scans = data.count(b'\xff\xda')
    *_, end = data.split(b'\xff\xda')
    last = b'\xff\xda' + end.removesuffix(b'\xff\xd9')
    return data.removesuffix(b'\xff\xd9') + last * (number - scans) + b'\xff\xd9'


def png_that_says(width, height):
    """A header, and next to nothing of what it promises."""

    def chunk(kind, content):
        check_sum = struct.pack('>I', zlib.crc32(kind + content))
        return struct.pack('>I', len(content)) + kind + content + check_sum

    header = chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b'IDAT', zlib.compress(bytes(301)))
    return b'\x89PNG\r\n\x1a\n' + header + pixels + chunk(b'IEND', b'')


def _saved(image_format, **options):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, image_format, **options)
    return buffer.getvalue()


CONTENTS = {
    'scans': many_scans,
    'bomb': lambda: png_that_says(60_000, 60_000),
    'line': lambda: png_that_says(1, 9_000_000),
    'sparse': bytes,
    'huge': lambda: _saved('PNG'),
    'program': lambda: _saved('EPS'),
}
SPARSE = {'sparse': LARGEST_UNKNOWN + 1, 'huge': 2**40}
