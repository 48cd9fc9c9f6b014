"""What follows the end of a JPEG."""

import re
import struct

from mmomni.jpeg.stream import START

from .structure import Structure, structure_of

_PADDING = b'\0 \t\r\n'
_VIDEO = 'a video (as of a motion photo)'
_KINDS = (
    (rb'\xff\xd8\xff', 'another JPEG'),
    (rb'\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|II\*\0|MM\0\*', 'another image'),
    (rb"PK(?:\x03\x04|\x05\x06)|Rar!\x1a\x07|7z\xbc\xaf'\x1c|\x1f\x8b\x08", 'an archive (as ZIP)'),
    (rb'%PDF-', 'a PDF'),
    (rb'....(?:ftyp|moov|mdat)|\x1a\x45\xdf\xa3|RIFF....AVI ', _VIDEO),
    (rb'MZ.{58}|\x7fELF', 'a program'),
)
_SAMSUNG = b'SEFT'
LIST_OF_PICTURES = b'MPF\0'
_NUMBER_OF_PICTURES = {
    '<': rb'\x01\xb0\x04\x00\x01\x00\x00\x00(....)',
    '>': rb'\xb0\x01\x00\x04\x00\x00\x00\x01(....)',
}
MOST_PICTURES = 100
_XMP = b'http://ns.adobe.com/xap/1.0/\0'
_ANNOUNCED_VIDEO = re.compile(rb'MotionPhoto|MicroVideo')
_ANNOUNCED_PICTURE = re.compile(rb'Item:Mime\s*=\s*["\']image/jpeg|<hdrgm:Version>|hdrgm:Version=')
_NO_TEXT = bytes({*range(32), 127} - {*b'\t\n\r'})
_FIRST_BYTES = 4096


def what_follows(data: bytes, structure: Structure) -> str:
    """What lies behind the end of a JPEG, in words; empty for nothing.

    Pictures and videos that the file itself announces, as phones add them (previews, gain maps,
    motion photos), are part of it and not told.
    """
    start = structure.end + 2
    if structure.end < 0 or start == len(data):
        return ''
    tail = _without_announced(data[start:], structure)
    if not tail:
        return ''
    count = '1 byte follows' if len(tail) == 1 else f'{len(tail):,} bytes follow'
    return f'{count} its end (at byte {len(data) - len(tail):,}), {_kind(tail)}'


def _without_announced(tail: bytes, structure: Structure) -> bytes:
    pictures, video = 0, False
    for marker, content, _, _ in structure.segments:
        if marker == b'\xe2' and content.startswith(LIST_OF_PICTURES):
            pictures = max(pictures, listed_pictures(content[len(LIST_OF_PICTURES) :]) - 1)
        elif marker == b'\xe1' and content.startswith(_XMP):
            video |= bool(_ANNOUNCED_VIDEO.search(content))
            pictures = max(pictures, len(_ANNOUNCED_PICTURE.findall(content)))
    for _ in range(min(pictures, MOST_PICTURES)):
        picture = tail.lstrip(_PADDING)
        end = structure_of(picture).end if picture.startswith(START) else -1
        if end < 0:
            break
        tail = picture[end + 2 :]
        tail = tail if tail.strip(_PADDING) else b''
    return b'' if video and _kind(tail) == _VIDEO else tail


def listed_pictures(directory: bytes) -> int:
    """How many pictures a list (MPF) has; where that cannot be read, as many as there may be."""
    order = '<' if directory.startswith(b'II') else '>'
    entry = re.search(_NUMBER_OF_PICTURES[order], directory, re.DOTALL)
    return MOST_PICTURES if entry is None else struct.unpack(f'{order}I', entry[1])[0]


def _kind(tail: bytes) -> str:
    for fill, name in ((b'\0', 'zeros'), (b'\xff', '0xff'), (_PADDING, 'zeros and blanks')):
        if not tail.strip(fill):
            return f'padding ({name})'
    if tail.endswith(_SAMSUNG):
        return 'data that Samsung cameras add'
    # A video begins with zeros: the length of its first box.
    for content in (tail, tail.lstrip(_PADDING)):
        for pattern, name in _KINDS:
            if re.match(pattern, content, re.DOTALL):
                return name
    head = tail[:_FIRST_BYTES]
    return 'text' if len(head.translate(None, _NO_TEXT)) == len(head) else 'of no known kind'
