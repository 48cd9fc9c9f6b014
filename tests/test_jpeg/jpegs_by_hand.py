"""JPEGs put together by hand."""

from io import BytesIO

import numpy as np
from PIL import Image

from mmomni.jpeg import encode

START, END = b'\xff\xd8', b'\xff\xd9'


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, 'big') + content


def with_segment(data, marker, content):
    """Behind the start of a JPEG."""
    return data[:2] + segment(marker, content) + data[2:]


def frame(height, width, components, precision=8, marker=0xC0):
    """``components``: identifier, sampling factors as one byte, slot of the table."""
    size = height.to_bytes(2, 'big') + width.to_bytes(2, 'big')
    content = bytes([precision]) + size + bytes([len(components)])
    return segment(marker, content + b''.join(map(bytes, components)))


def flat_table(step, slot=0):
    return segment(0xDB, bytes([slot]) + bytes([step]) * 64)


def grey_parts(plane, step=16):
    """Huffman tables and the coded blocks of a plane, quantised by one step."""
    buffer = BytesIO()
    Image.fromarray(plane).save(buffer, 'JPEG', qtables=[[step] * 64])
    data = buffer.getvalue()
    scan = data.index(b'\xff\xda')
    return data[data.index(b'\xff\xc4') : scan], data[scan + 10 : -2]


def separate_scans(planes, steps, order):
    """A 4:4:4 JPEG with a scan for each component, before each of which slot 0 is filled anew."""
    height, width = planes[0].shape
    head = frame(height, width, [(number, 0x11, 0) for number in (1, 2, 3)])
    parts = [grey_parts(plane, step) for plane, step in zip(planes, steps, strict=True)]
    scans = [
        flat_table(steps[n]) + segment(0xDA, bytes([1, n + 1, 0, 0, 63, 0])) + parts[n][1]
        for n in order
    ]
    return START + head + parts[0][0] + b''.join(scans) + END


def lossless_grey(plane):
    """Differences to the left neighbour, of nine categories with four bits each."""
    height, width = plane.shape
    values = plane.astype(int)
    predicted = np.empty_like(values)
    predicted[:, 1:], predicted[1:, 0], predicted[0, 0] = values[:, :-1], values[:-1, 0], 128
    bits = ''
    for difference in (values - predicted).ravel().tolist():
        category = abs(difference).bit_length()
        rest = difference if difference > 0 else difference + (1 << category) - 1
        bits += f'{category:04b}' + (f'{rest:0{category}b}' if category else '')
    bits += '1' * (-len(bits) % 8)
    scan = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    head = frame(height, width, [(1, 0x11, 0)], marker=0xC3)
    codes = segment(0xC4, bytes([0, 0, 0, 0, 9]) + bytes(12) + bytes(range(9)))
    return (
        START + head + codes + segment(0xDA, bytes([1, 1, 0, 1, 0, 0]))
        + scan.replace(b'\xff', b'\xff\0') + END
    )  # fmt: skip


def changed_frame(data, marker=None, precision=None, height=None, luma=None):
    """A JPEG whose frame header says something else."""
    data = bytearray(data)
    at = data.index(b'\xff\xc0')
    if marker is not None:
        data[at + 1] = marker
    if precision is not None:
        data[at + 4] = precision
    if height is not None:
        data[at + 5 : at + 7] = height.to_bytes(2, 'big')
    if luma is not None:
        data[at + 11] = luma
    return bytes(data)


def undecodable_kinds(pixels):
    """Name and file of each kind of JPEG that Pillow and OpenCV do not decode."""
    data = encode(pixels, 80, '4:4:4')
    height = pixels.shape[0]
    without_height = changed_frame(data, height=0)
    lines = segment(0xDC, height.to_bytes(2, 'big'))
    two = [(1, 0x11, 0), (2, 0x11, 0)]
    return {
        'of 12 bits a sample': changed_frame(data, marker=0xC1, precision=12),
        'of 16 bits a sample': changed_frame(data, marker=0xC3, precision=16),
        'without a height in its header': without_height[:-2] + lines + END,
        'hierarchical': changed_frame(data, marker=0xC5),
        'JPEG-LS': START + segment(0xF7, bytes([8, 0, 9, 0, 9, 1, 1, 0x11, 0])) + data[2:],
        'of 2 components': START + frame(9, 9, two) + data[data.index(b'\xff\xda') :],
    }
