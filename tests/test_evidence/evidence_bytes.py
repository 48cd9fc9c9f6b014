"""Files with metadata of all kinds, and a look-up of facts by their terms."""

import io
import struct

import numpy as np
from PIL import Image

XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:m="http://ns.adobe.com/xap/1.0/mm/"
 xmlns:e="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
 xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmp:CreatorTool="Adobe Photoshop 25.0" xmp:CreateDate="2024-05-01T10:00:00+02:00">
<dc:creator><rdf:Seq><rdf:li>Ann</rdf:li></rdf:Seq></dc:creator>
<m:History><rdf:Seq>
<rdf:li e:action="created" e:when="2024-05-01T10:00:00+02:00"
 e:softwareAgent="Adobe Photoshop 25.0"/>
<rdf:li rdf:parseType="Resource"><e:action>saved</e:action><e:changed>/</e:changed></rdf:li>
</rdf:Seq></m:History></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def picture(size=(64, 48)):
    """A gradient with a dark square."""
    across, down = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    pixels = np.stack([across * 3, down * 4, across + down], axis=2) % 256
    pixels[8:24, 8:24] = 20
    return Image.fromarray(pixels.astype(np.uint8))


def saved(image_format='JPEG', image=None, **options):
    buffer = io.BytesIO()
    (image or picture()).save(buffer, image_format, **options)
    return buffer.getvalue()


def exif_bytes(thumbnail=None, **values):
    """EXIF of names of Pillow (``Make``, ``DateTimeOriginal``), and a JPEG as its thumbnail."""
    from PIL import ExifTags

    exif = Image.Exif()
    for name, value in values.items():
        tag = ExifTags.Base[name]
        target = exif if tag < 0x8298 else exif.get_ifd(0x8769)
        target[tag] = value
    data = exif.tobytes()
    return data if thumbnail is None else _with_thumbnail(data, thumbnail)


def _with_thumbnail(data, thumbnail):
    tiff = data.removeprefix(b'Exif\0\0')
    order = '<' if tiff.startswith(b'II') else '>'
    (start,) = struct.unpack_from(f'{order}I', tiff, 4)
    (number,) = struct.unpack_from(f'{order}H', tiff, start)
    second = len(tiff)
    end = start + 2 + 12 * number
    tiff = tiff[:end] + struct.pack(f'{order}I', second) + tiff[end + 4 :]
    place = second + 2 + 36 + 4
    fields = ((0x0103, 3, 1, 6), (0x0201, 4, 1, place), (0x0202, 4, 1, len(thumbnail)))
    tiff += struct.pack(f'{order}H', 3)
    for tag, kind, count, value in fields:
        form = f'{order}HHIHH' if kind == 3 else f'{order}HHII'
        tiff += struct.pack(form, tag, kind, count, value, *([0] if kind == 3 else []))
    return b'Exif\0\0' + tiff + bytes(4) + thumbnail


def directory(fields, following=0):
    """A little-endian TIFF of one directory with fields as four numbers each."""
    entries = b''.join(struct.pack('<HHII', *field) for field in fields)
    return (
        b'II*\0\x08\0\0\0' + struct.pack('<H', len(fields)) + entries + struct.pack('<I', following)
    )


def fact(section, term):
    """The only fact of a term, as (value, note)."""
    ((value, note),) = [(each.value, each.note) for each in section.facts if each.term == term]
    return value, note
