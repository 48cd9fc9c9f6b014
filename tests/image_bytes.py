"""Image files as bytes, also of kinds that Pillow does not write."""

import io
import struct
import zlib

import cv2
from PIL import Image


def written(image, image_format, **options):
    """By Pillow, of an image or its pixels."""
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def encoded(suffix, pixels):
    """By OpenCV, of ``uint8`` or ``uint16`` pixels in the order BGR or BGRA."""
    return cv2.imencode(suffix, pixels)[1].tobytes()


def turned(orientation):
    """EXIF that says no more than how a viewer turns the pixels."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def png_bytes(rows, exif=None):
    """A PNG of ``uint8`` or ``uint16`` (H, W, 1 to 4): Pillow writes no colours of 16 bits."""

    def chunk(name, data):
        check = struct.pack('>I', zlib.crc32(name + data))
        return struct.pack('>I', len(data)) + name + data + check

    height, width, channels = rows.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    stored = rows.astype(rows.dtype.newbyteorder('>'))
    header = struct.pack('>IIBBBBB', width, height, 8 * rows.itemsize, kind, 0, 0, 0)
    chunks = [chunk(b'IHDR', header)]
    if exif is not None:
        chunks.append(chunk(b'eXIf', exif.removeprefix(b'Exif\0\0')))
    chunks.append(chunk(b'IDAT', zlib.compress(b''.join(b'\0' + row.tobytes() for row in stored))))
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunks) + chunk(b'IEND', b'')


def with_orientation(tiff, orientation):
    """A little-endian TIFF with one more entry in its directory, which moves to the end."""
    (start,) = struct.unpack('<I', tiff[4:8])
    (number,) = struct.unpack('<H', tiff[start : start + 2])
    fields = [tiff[start + 2 + 12 * i :][:12] for i in range(number)]
    fields = [each for each in fields if each[:2] != struct.pack('<H', 274)]
    fields.append(struct.pack('<HHIHH', 274, 3, 1, orientation, 0))
    fields.sort(key=lambda field: struct.unpack('<H', field[:2]))
    directory = struct.pack('<H', len(fields)) + b''.join(fields) + bytes(4)
    return tiff[:4] + struct.pack('<I', len(tiff)) + tiff[8:] + directory
