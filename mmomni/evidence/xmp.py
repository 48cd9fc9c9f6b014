"""XMP: XML of Adobe and others, read without entities and within bounds."""

from collections.abc import Mapping
from typing import NamedTuple
from xml.parsers import expat

from .wording import shown

MOST_BYTES = 2**23
MOST_ELEMENTS = 50_000
DEEPEST = 100
MOST_VALUES = 1000
"""Of one property; more, as of a long history, are only counted by their documents."""
NAMESPACES = {
    'http://ns.adobe.com/xap/1.0/': 'xmp',
    'http://ns.adobe.com/xap/1.0/mm/': 'xmpMM',
    'http://ns.adobe.com/xap/1.0/sType/ResourceEvent#': 'stEvt',
    'http://ns.adobe.com/xap/1.0/sType/ResourceRef#': 'stRef',
    'http://ns.adobe.com/photoshop/1.0/': 'photoshop',
    'http://ns.adobe.com/tiff/1.0/': 'tiff',
    'http://ns.adobe.com/exif/1.0/': 'exif',
    'http://ns.adobe.com/exif/1.0/aux/': 'aux',
    'http://cipa.jp/exif/1.0/': 'exifEX',
    'http://ns.adobe.com/camera-raw-settings/1.0/': 'crs',
    'http://ns.adobe.com/xmp/note/': 'xmpNote',
    'http://purl.org/dc/elements/1.1/': 'dc',
    'http://purl.org/dc/terms/': 'dcterms',
    'http://iptc.org/std/Iptc4xmpExt/2008-02-29/': 'Iptc4xmpExt',
    'http://www.w3.org/1999/02/22-rdf-syntax-ns#': 'rdf',
}
"""The usual prefix of a namespace, whatever a file calls it."""
_HOLDERS = ('rdf:', 'x:', 'xml:', '?:')
"""Names that hold others, or that nobody asks for."""


class Xmp(NamedTuple):
    """What XMP says.

    Attributes:
        values: By property: ``'xmp:CreatorTool'``; of those in a structure behind that of the
            structure: ``'xmpMM:DerivedFrom/stRef:documentID'``.
        events: The steps of its history, each with ``action``, ``when``, ``softwareAgent``, ...
        problem: Why there is nothing, or not all.
    """

    values: Mapping[str, list[str]]
    events: tuple[Mapping[str, str], ...] = ()
    problem: str = ''

    def text(self, name: str) -> str:
        """The first value of a property; empty where it is missing."""
        return next(iter(self.values.get(name, [])), '')


class _XmpError(ValueError):
    pass


def xmp_of(data: bytes) -> Xmp:
    """Read XMP; whatever the bytes are, it ends soon and raises nothing."""
    if len(data) > MOST_BYTES:
        most = f'{MOST_BYTES:,} that are read'
        return Xmp({}, problem=f'it has {len(data):,} bytes, more than the {most}')
    if not data:
        return Xmp({})
    reader = _Reader()
    problem = ''
    try:
        reader.parse(data.strip(b'\0 \t\r\n'))
    except _XmpError as error:
        return Xmp({}, problem=str(error))
    except (expat.ExpatError, ValueError, LookupError) as error:  # what came before it counts
        problem = f'broken XML ({shown(error, 80)})'
    return Xmp(reader.values, tuple(reader.events), problem)


class _Reader:
    """Collects the values as the elements come, so that nothing deep is built."""

    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}
        self.events: list[dict[str, str]] = []
        self._path: list[str] = []
        self._texts: list[list[str]] = []
        self._elements = 0

    def parse(self, data: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=' ')
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(data, True)

    @staticmethod
    def _refuse(*_: object) -> None:
        raise _XmpError('it declares a document type, as XMP never does and XML bombs do')

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1 + len(attributes)
        if self._elements > MOST_ELEMENTS or len(self._path) > DEEPEST:
            raise _XmpError(f'more than {MOST_ELEMENTS:,} elements, or {DEEPEST} in each other')
        self._path.append(_prefixed(name))
        self._texts.append([])
        if self._is_event() and len(self.events) < MOST_VALUES:
            self.events.append({})
        for key, value in attributes.items():
            self._keep([*self._path, _prefixed(key)], value)

    def _end(self, _: str) -> None:
        text = ''.join(self._texts.pop()).strip()
        if text:
            self._keep(self._path, text)
        self._path.pop()

    def _text(self, text: str) -> None:
        if self._texts:
            self._texts[-1].append(text)

    def _is_event(self) -> bool:
        return self._path[-1] == 'rdf:li' and 'xmpMM:History' in self._path[-3:]

    def _keep(self, path: list[str], text: str) -> None:
        names = [name for name in path if not name.startswith(_HOLDERS)]
        if not names or (path[-1].startswith(_HOLDERS) and path[-1] != 'rdf:li'):
            return
        if 'xmpMM:History' in names:
            if self.events and names[-1].startswith('stEvt:'):
                self.events[-1].setdefault(names[-1].removeprefix('stEvt:'), shown(text))
            return
        values = self.values.setdefault('/'.join(names[-2:]), [])
        if len(values) < MOST_VALUES:
            values.append(shown(text))


def _prefixed(name: str) -> str:
    space, _, local = name.rpartition(' ')
    if space == 'adobe:ns:meta/':
        return f'x:{local}'
    if space == 'http://www.w3.org/XML/1998/namespace':
        return f'xml:{local}'
    return f'{NAMESPACES.get(space, "?")}:{local}'
