"""Where the metadata of a file lie: its EXIF, XMP, IPTC and texts as bytes, not understood yet."""

from dataclasses import dataclass, field
from typing import Any

from PIL import Image, IptcImagePlugin, JpegImagePlugin, PngImagePlugin

from mmomni.jpeg import open_image
from mmomni.jpeg.opening import MOST_METADATA, PASSED_OVER, has_too_much_metadata
from mmomni.jpeg.orientation import stored_size
from mmomni.jpeg.tiff.directories import directory_at, first_offset, is_tiff, with_first
from mmomni.jpeg.tiff.tags import Tag

from .photoshop import levels_of
from .wording import reason_of, shown

IPTC_IN_TIFF = 33723
IPTC_IN_PHOTOSHOP = 0x0404
_EXIF = b'Exif\0\0'
_PROFILE = 'Raw profile type '
_UNREAD_PROFILES = ('iptc', '8bim', 'APP1')
_KNOWN_TEXTS = (
    'XML:com.adobe.xmp',
    *(f'{_PROFILE}{kind}' for kind in ('exif', 'xmp', *_UNREAD_PROFILES)),
)
_XMP_BEGINS = b'<x:xmpmeta'
_MARKS_IN_PNG = (b'eXIf', b'XML:com.adobe.xmp', b'Raw profile type')
"""Of what may stand behind the pixels, where Pillow looks once these are decoded."""

IptcRecords = dict[tuple[int, int], bytes | list[bytes]]
"""Of Pillow: a list where a field occurs again."""


@dataclass
class Blocks:
    """The metadata of a file as they lie there.

    Attributes:
        exif: Beginning as a TIFF; empty for none. Of a TIFF all of it, as its first page.
        xmp: XML; empty for none.
        iptc: Values by record and number.
        texts: Comments, and named texts of a PNG.
        levels: In words, at which of its levels Photoshop says that it saved a JPEG.
        size: Width and height as stored; zeros where it is no image.
        problems: What could not be read, and why.
    """

    exif: bytes = b''
    xmp: bytes = b''
    iptc: IptcRecords = field(default_factory=dict)
    texts: dict[str, Any] = field(default_factory=dict)
    levels: list[str] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    problems: list[str] = field(default_factory=list)


def blocks_of(data: bytes) -> Blocks:
    """Find the metadata of an image file; what is wrong with it is told in ``problems``."""
    blocks = Blocks()
    try:
        if has_too_much_metadata(data):
            blocks.problems.append(f'its metadata have more than {MOST_METADATA:,} bytes')
        elif is_tiff(data):
            _fill_from_tiff(blocks, data)
        else:
            _fill_from_image(blocks, data)
        if not blocks.xmp and _XMP_BEGINS in data:
            blocks.problems.append('it holds XMP in a place that is not read')
    except Exception as error:  # noqa: BLE001  (broken metadata make readers raise anything)
        blocks.problems.append(f'the metadata cannot be read ({reason_of(error)})')
    return blocks


def iptc_texts(records: IptcRecords, number: int) -> list[str]:
    """All values of a field that is about the picture (record 2)."""
    value = records.get((2, number), [])
    return [shown(each) for each in (value if isinstance(value, list) else [value])]


def _fill_from_tiff(blocks: Blocks, data: bytes) -> None:
    first = directory_at(data, first_offset(data))
    blocks.size = first.size
    blocks.xmp = first.content(Tag.XMP)
    _fill_iptc(blocks, first.content(IPTC_IN_TIFF))
    if first.form.is_big:
        blocks.problems.append('the EXIF of a BigTIFF is not read')
    else:
        blocks.exif = with_first(data, first.offset)


def _fill_from_image(blocks: Blocks, data: bytes) -> None:
    with open_image(data) as image:
        blocks.size = stored_size(image)
        lacks_some = not (image.info.get('exif') and image.info.get('xmp'))
        is_png = isinstance(image, PngImagePlugin.PngImageFile)
        if is_png and lacks_some and any(mark in data for mark in _MARKS_IN_PNG):
            image.load()
        info = image.info
        blocks.exif = info.get('exif') or _raw_profile(blocks, info, 'exif')
        blocks.exif = blocks.exif.removeprefix(_EXIF)
        xmp = info.get('xmp') or _raw_profile(blocks, info, 'xmp')
        blocks.xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
        photoshop = info.get('photoshop')
        if isinstance(photoshop, dict):
            _fill_iptc(blocks, photoshop.get(IPTC_IN_PHOTOSHOP, b''))
        blocks.levels = levels_of(image)
        texts = {**getattr(image, 'text', {}), **_comments(image)}
        blocks.texts = {name: text for name, text in texts.items() if name not in _KNOWN_TEXTS}
        blocks.problems += [
            f'its raw profile {kind} is not read'
            for kind in _UNREAD_PROFILES if f'{_PROFILE}{kind}' in texts
        ]  # fmt: skip
        if info.get(PASSED_OVER):
            blocks.problems.append('broken application data were passed over, with what they hold')


def _comments(image: Image.Image) -> dict[str, Any]:
    """All of a JPEG, of which Pillow names the last alone; of other formats, the one."""
    found = [text for name, text in getattr(image, 'applist', []) if name == 'COM']
    found = [text for text in found or [image.info.get('comment')] if text]
    return {f'Comment {n}' if n > 1 else 'Comment': text for n, text in enumerate(found, 1)}


def _raw_profile(blocks: Blocks, info: dict[Any, Any], name: str) -> bytes:
    """What ImageMagick writes into a PNG: name, length and the bytes in hexadecimal."""
    text = info.get(f'{_PROFILE}{name}', '')
    try:
        return bytes.fromhex(''.join(str(text).split('\n')[3:]))
    except ValueError as error:
        blocks.problems.append(f'its raw profile {name} cannot be read ({reason_of(error)})')
        return b''


def _fill_iptc(blocks: Blocks, data: bytes) -> None:
    """By Pillow, which reads the records of a file alone that it has opened."""
    if not data:
        return
    holder = JpegImagePlugin.JpegImageFile.__new__(JpegImagePlugin.JpegImageFile)
    holder.info = {'photoshop': {IPTC_IN_PHOTOSHOP: data}}
    try:
        blocks.iptc = dict(IptcImagePlugin.getiptcinfo(holder) or {})
    except Exception as error:  # noqa: BLE001  (broken records make Pillow raise anything)
        blocks.problems.append(f'its IPTC cannot be read ({reason_of(error)})')
