"""What EXIF, XMP, IPTC and comments say of where a picture comes from."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from mmomni.jpeg.tiff.directories import is_tiff

from .blocks import Blocks, IptcRecords, blocks_of, iptc_texts
from .credentials import source_note
from .dates import date_facts, dates_of
from .exif import Exif, exif_of
from .places import place_fact
from .sections import Fact, Section
from .software import GENERATOR_TEXTS, is_software_text, software_facts
from .thumbnail import compared
from .wording import NONE, number_of, shown
from .xmp import Xmp, xmp_of

LISTED_EVENTS = 20
LISTED_TEXTS = 20
LONGEST_TEXT = 600
_FACEBOOK = 'FBMD'


def metadata_section(data: bytes, modified: float | None = None) -> Section:
    """Camera, lens, software, history, dates, place, texts and thumbnail, each named or absent.

    Args:
        data: All bytes of a file. Whatever they are, it ends soon and raises nothing.
        modified: When the file system says that it was changed, in seconds since 1970.
    """
    blocks = blocks_of(data)
    exif, xmp = exif_of(blocks.exif), xmp_of(blocks.xmp)
    thumbnail = compared(exif.thumbnail, data)
    facts = (
        *_kinds(blocks, exif, xmp, is_tiff(data)),
        *_camera(exif, xmp),
        *software_facts(exif, xmp, blocks),
        *_sources(xmp),
        *_history(xmp),
        *date_facts(dates_of(exif, xmp, blocks.iptc), _moment(modified)),
        place_fact(exif, xmp),
        *_size(blocks, exif),
        *_words(exif, xmp, blocks.iptc),
        *_texts(blocks.texts),
        *thumbnail.facts,
    )
    return Section('Metadata', facts, thumbnail.pictures)


def _moment(modified: float | None) -> datetime | None:
    try:
        return None if modified is None else datetime.fromtimestamp(modified, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return None


def _kinds(blocks: Blocks, exif: Exif, xmp: Xmp, of_tiff: bool) -> Iterator[Fact]:
    yield from (Fact('Metadata', 'not all read', problem) for problem in blocks.problems)
    fields = number_of(exif.fields(of_tiff), 'field')
    value, note = ('empty', 'it is there, without a field') if exif.is_empty else (fields, '')
    yield _kind('EXIF', value, exif.problem, note)
    fields = number_of(blocks.xmp, 'byte')
    more = xmp.text('xmpNote:HasExtendedXMP') and 'more of it lies elsewhere and is not read'
    yield _kind('XMP', fields, xmp.problem, more)
    yield Fact('IPTC', number_of(blocks.iptc, 'field'))


def _kind(term: str, value: str, problem: str, note: str = '') -> Fact:
    if problem:
        return Fact(term, 'not read' if value == NONE else f'{value}, not all read', problem)
    return Fact(term, value, note)


def _camera(exif: Exif, xmp: Xmp) -> Iterator[Fact]:
    make, model = exif.text('Image Make'), exif.text('Image Model')
    if not (make or model):
        make, model = xmp.text('tiff:Make'), xmp.text('tiff:Model')
    camera = model if model.lower().startswith(make.lower() or '\0') else f'{make} {model}'.strip()
    note = 'publishing often removes it; drawings and screenshots have none'
    yield Fact('Camera', camera or NONE, '' if camera else note)
    serial = exif.text('EXIF BodySerialNumber') or xmp.text('aux:SerialNumber')
    if serial:
        yield Fact('Serial number', serial, 'of the camera')
    lens = exif.text('EXIF LensModel') or xmp.text('aux:Lens') or xmp.text('exifEX:LensModel')
    lens = lens or _reach_of_lens(exif)
    yield Fact('Lens', lens or NONE, '' if lens else "notes of cameras' makers are not read")
    yield Fact('Exposure', _exposure(exif) or NONE)


def _reach_of_lens(exif: Exif) -> str:
    """Focal lengths, as of a lens without a name; empty where they are not told."""
    for name in ('EXIF LensSpecification', 'Image LensSpecification'):
        shortest, longest = (*exif.numbers(name, 2), 0.0, 0.0)[:2]
        if shortest > 0:
            return f'{shortest:g} mm' if longest <= shortest else f'{shortest:g} to {longest:g} mm'
    return ''


def _exposure(exif: Exif) -> str:
    parts = [
        f'1/{1 / seconds:.0f} s' if 0 < seconds <= 0.4 else f'{seconds:g} s'
        for seconds in exif.numbers('EXIF ExposureTime', 1)
    ]
    for name, form in (('FNumber', 'f/{:g}'), ('ISOSpeedRatings', 'ISO {:g}'),
                       ('FocalLength', '{:g} mm')):  # fmt: skip
        parts += [form.format(round(number, 2)) for number in exif.numbers(f'EXIF {name}', 1)]
    return ', '.join(parts)


def _sources(xmp: Xmp) -> Iterator[Fact]:
    kind = next((text for name, (text, *_) in xmp.values.items()
                 if name.endswith('Iptc4xmpExt:DigitalSourceType')), '')  # fmt: skip
    if kind:
        kind = kind.rpartition('/')[2]
        yield Fact('Stated source', kind, source_note([kind]))
    if elsewhere := xmp.text('dcterms:provenance'):
        note = 'where XMP says that a signed statement (C2PA) lies; nothing was fetched'
        yield Fact('Content Credentials elsewhere', elsewhere, note)
    settings = sum(name.startswith('crs:') for name in xmp.values)
    if settings:
        note = 'developed from raw data, or with the same tools'
        yield Fact('Camera Raw settings', f'{settings:,} kept', note)


def _history(xmp: Xmp) -> Iterator[Fact]:
    events = xmp.events
    if not events:
        yield Fact('History', NONE, 'few programs write one (as Photoshop does)')
    for number, event in enumerate(events[:LISTED_EVENTS], 1):
        action = ' '.join(filter(None, (event.get('action', 'step'), event.get('when', ''))))
        agent = event.get('softwareAgent', '')
        note = event.get('parameters') or event.get('changed') or ''
        yield Fact(f'History, step {number}', f'{action} by {agent}' if agent else action, note)
    if len(events) > LISTED_EVENTS:
        yield Fact('History', f'{len(events) - LISTED_EVENTS:,} more steps')
    origin, own = xmp.text('xmpMM:OriginalDocumentID'), xmp.text('xmpMM:DocumentID')
    if origin and own and origin != own:
        yield Fact('Original document', origin, 'another than this one: saved from it')
    above = [text for name, texts in xmp.values.items() for text in texts
             if name.startswith(('xmpMM:DerivedFrom', 'xmpMM:Ingredients'))
             and name.endswith(('documentID', 'filePath'))]  # fmt: skip
    if above:
        yield Fact('Made from', shown(', '.join(above[:5])), 'documents that this one names')
    ancestors = xmp.values.get('photoshop:DocumentAncestors', [])
    if ancestors:
        note = 'something of each was pasted or placed into it, or into what it was made from'
        yield Fact('Documents pasted from', f'{len(ancestors):,}', note)


def _size(blocks: Blocks, exif: Exif) -> Iterator[Fact]:
    named = [exif.numbers(f'EXIF ExifImage{side}')[:1] for side in ('Width', 'Length')]
    if not all(named) or 0 in blocks.size or [0] in named:  # as some programs leave it
        return
    width, height = (int(each[0]) for each in named)
    same = {width, height} == set(blocks.size)
    note = '' if same else (
        f'the picture has {blocks.size[0]} x {blocks.size[1]} px: it was cropped or resized, or '
        'its EXIF is that of another'
    )  # fmt: skip
    yield Fact('Size in EXIF', f'{width} x {height} px', note)


def _words(exif: Exif, xmp: Xmp, iptc: IptcRecords) -> Iterator[Fact]:
    def of_iptc(number: int) -> str:
        return ', '.join(iptc_texts(iptc, number)[:5])

    who = [exif.text('Image Artist'), exif.text('Image Copyright'), xmp.text('dc:creator'),
           xmp.text('dc:rights'), of_iptc(80), of_iptc(110), of_iptc(115),
           of_iptc(116)]  # fmt: skip
    named = ', '.join(dict.fromkeys(filter(None, who)))
    yield Fact('Author and rights', shown(named, LONGEST_TEXT) or NONE)
    what = [exif.text('Image ImageDescription'), xmp.text('dc:title'), xmp.text('dc:description'),
            xmp.text('photoshop:Headline'), of_iptc(5), of_iptc(105), of_iptc(120)]  # fmt: skip
    told = ', '.join(dict.fromkeys(filter(None, what)))
    yield Fact('Caption', shown(told, LONGEST_TEXT) or NONE)
    if asked := of_iptc(40):
        note = 'Facebook and Instagram mark what they publish so' if _FACEBOOK in asked else ''
        yield Fact('Instructions (IPTC)', asked, note)


def _texts(texts: Mapping[str, Any]) -> Iterator[Fact]:
    rest = {name: text for name, text in texts.items() if not is_software_text(name)}
    if not rest:
        yield Fact('Comments', NONE)
    for name, text in list(rest.items())[:LISTED_TEXTS]:
        makes = str(name).lower() in GENERATOR_TEXTS
        # No word on programs: what a comment speaks of need not be one.
        note = 'where programs that make pictures note how' if makes else ''
        term = name if re.fullmatch(r'Comment( \d+)?', name) else f'Text “{shown(name, 40)}”'
        yield Fact(term, shown(text, LONGEST_TEXT), note)
    if len(rest) > LISTED_TEXTS:
        yield Fact('Comments', f'{len(rest) - LISTED_TEXTS:,} more texts')
