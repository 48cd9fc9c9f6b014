"""How a JPEG is stored, in words: process, colours, segments, and what follows its end."""

from itertools import groupby

from mmomni.jpeg.damage.structure import RESTART_INTERVAL, Structure
from mmomni.jpeg.damage.trailing import (
    LIST_OF_PICTURES,
    MOST_PICTURES,
    listed_pictures,
    what_follows,
)
from mmomni.jpeg.kinds import unusual_kind
from mmomni.jpeg.stream import ADOBE, FRAMES, START_OF_SCAN, TABLES

from .sections import Fact
from .wording import shown

APP2 = b'\xe2'
_PROCESSES = {b'\xc0': 'baseline', b'\xc1': 'extended sequential', b'\xc2': 'progressive'}
_SUBSAMPLING = {
    (1, 1): '4:4:4', (2, 1): '4:2:2', (2, 2): '4:2:0', (1, 2): '4:4:0', (4, 1): '4:1:1',
    (4, 2): '4:1:0',
}  # fmt: skip
_NAMES = {
    START_OF_SCAN: 'SOS', TABLES: 'DQT', RESTART_INTERVAL: 'DRI', b'\xc4': 'DHT', b'\xfe': 'COM',
    b'\xcc': 'DAC', b'\xdc': 'DNL',
}  # fmt: skip
_APPLICATIONS = (
    (b'JFIF\0', 'JFIF'), (b'JFXX\0', 'JFXX'), (b'Exif\0', 'Exif'),
    (b'http://ns.adobe.com/xap/1.0/\0', 'XMP'),
    (b'http://ns.adobe.com/xmp/extension/', 'XMP, more'),
    (b'ICC_PROFILE\0', 'ICC profile'), (LIST_OF_PICTURES, 'MPF'), (b'Photoshop 3.0\0', 'Photoshop'),
    (b'Adobe', 'Adobe'), (b'Ducky', 'Ducky'), (b'JP', 'JUMBF'),
)  # fmt: skip
_TRANSFORMS = {0: 'RGB, grey or CMYK', 1: 'YCbCr', 2: 'YCCK'}
_MOST_MARKERS = 60


def form_facts(structure: Structure, data: bytes) -> list[Fact]:
    """All of them, in the order in which they are read."""
    if len(structure.frame) < 6:
        unknown = Fact('Process', 'unknown', 'the file has no header of a frame')
        return [unknown, _markers(structure)]
    height, width = (int.from_bytes(structure.frame[i : i + 2], 'big') for i in (1, 3))
    return [
        Fact('Process', _process(structure, data), f'{len(structure.scans)} scan(s)'),
        Fact('Size', f'{width} x {height} px', f'{structure.frame[0]} bits a sample'),
        _subsampling(structure),
        _restarts(structure),
        _markers(structure),
        _adobe(structure),
        _pictures(structure),
        _behind_the_end(structure, data),
    ]


def _process(structure: Structure, data: bytes) -> str:
    usual = _PROCESSES.get(structure.process, f'of kind 0x{structure.process.hex()}')
    return unusual_kind(data) or usual


def _subsampling(structure: Structure) -> Fact:
    components = structure.frame[5]
    if components == 1:
        return Fact('Subsampling', 'none: grey')
    if not structure.has_blocks or components != 3:
        return Fact('Subsampling', 'unknown' if components == 3 else f'of {components} components')
    factors = [divmod(factor, 16) for factor in structure.frame[7::3]]
    named = ', '.join(f'{across}x{down}' for across, down in factors)
    (across, down), *chroma = factors
    if len(set(chroma)) > 1 or 0 in chroma[0] or across % chroma[0][0] or down % chroma[0][1]:
        return Fact('Subsampling', f'unusual ({named})')
    ratio = across // chroma[0][0], down // chroma[0][1]
    return Fact('Subsampling', _SUBSAMPLING.get(ratio, 'unusual'), f'factors {named}')


def _restarts(structure: Structure) -> Fact:
    intervals = dict.fromkeys(scan.interval for scan in structure.scans if scan.interval)
    if not intervals:
        return Fact('Restart interval', 'none')
    value = ', '.join(str(each) for each in [*intervals][:5])
    return Fact('Restart interval', f'{value} units', 'many cameras have one, most programs none')


def _markers(structure: Structure) -> Fact:
    names = ['SOI', *map(_name, structure.segments), *(['EOI'] if structure.end >= 0 else [])]
    runs = [(name, sum(1 for _ in run)) for name, run in groupby(names)]
    named = [name if count == 1 else f'{name} x{count}' for name, count in runs[:_MOST_MARKERS]]
    more = f', and {len(runs) - _MOST_MARKERS} more' if len(runs) > _MOST_MARKERS else ''
    note = '' if structure.end >= 0 else 'the marker of the end (EOI) is missing'
    return Fact('Markers in order', ' '.join(named) + more, note)


def _name(segment: tuple[bytes, bytes, int, int]) -> str:
    marker, content = segment[:2]
    code = marker[0]
    if marker in _NAMES:
        return _NAMES[marker]
    if marker in FRAMES:
        return f'SOF{code - 0xC0}'
    if not 0xE0 <= code <= 0xEF:
        return f'0x{code:02x}'
    kind = next((name for begin, name in _APPLICATIONS if content.startswith(begin)), '')
    kind = kind or shown(content[:12].split(b'\0')[0])
    return f'APP{code - 0xE0}({kind or "?"})'


def _adobe(structure: Structure) -> Fact:
    for marker, content, _, _ in structure.segments:
        if marker == ADOBE and content.startswith(b'Adobe') and len(content) >= 12:
            version = int.from_bytes(content[5:7], 'big')
            colours = _TRANSFORMS.get(content[11], f'unknown ({content[11]})')
            note = "Adobe's programs write it, and other programs, too, to tell the colours"
            return Fact('Adobe marker', f'version {version}, colours: {colours}', note)
    return Fact('Adobe marker', 'none')


def _pictures(structure: Structure) -> Fact:
    lists = [
        content[len(LIST_OF_PICTURES) :]
        for marker, content, _, _ in structure.segments
        if marker == APP2 and content.startswith(LIST_OF_PICTURES)
    ]
    if not lists:
        return Fact('Other pictures in the file (MPF)', 'none listed')
    number = max(map(listed_pictures, lists))
    if number >= MOST_PICTURES:
        return Fact('Other pictures in the file (MPF)', 'a list that cannot be read')
    note = 'cameras and phones add previews, gain maps and depth so'
    return Fact('Other pictures in the file (MPF)', f'{max(number - 1, 0)} listed', note)


def _behind_the_end(structure: Structure, data: bytes) -> Fact:
    if structure.end < 0:
        return Fact('Bytes behind the end', 'the end is missing', 'the file may have been cut')
    count = len(data) - structure.end - 2
    if not count:
        return Fact('Bytes behind the end', 'none')
    unknown = what_follows(data, structure)
    note = unknown or 'pictures or a video that the file itself announces'
    return Fact('Bytes behind the end', f'{count:,}', note)
