"""Which pictures a PDF holds, and on which pages they are. Needs the extra ``pdf`` (pikepdf).

Nothing is decoded here but what must be looked through; :mod:`.pictures` has the pixels.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from .filters import filters_of, unwrapped

NEEDED = "its pictures are read by pikepdf: pip install 'mmomni[pdf]'"
MOST_PICTURES = 10_000
MOST_OBJECTS = 1_000_000
MOST_INLINE = 1_000
"""Pictures in one drawing, which is parsed anew for each of them."""
MOST_VISITS = 50_000
"""So many resources are looked up to tell on which page a picture is."""
STRUCTURE_BYTES = 2**24
"""What one stream of a file's own structure may unpack to: three million entries of its table."""
CONTENT_BYTES = 2**26
"""What the drawing of one page may unpack to."""
_BEGINS, _HAS_DATA = re.compile(rb'\bBI\b'), re.compile(rb'\bID\b')
"""Operators of a picture in a drawing."""

ObjectId = tuple[int, int]


class PdfError(ValueError):
    """Why a PDF, or a picture in it, cannot be used."""


class PdfPicture(NamedTuple):
    """Where a picture is in a PDF.

    Attributes:
        number: From 1, in the order of the pages; those of which no page is known come last.
        page: The first that shows it, from 1; ``None``: not known.
        stream: The object that it is, or for an inline picture the form that draws it, (0, 0) for
            the page itself.
        inline: Its place, from 0, among the inline pictures there; ``None``: it is an object.
        obstacle: Why there is no picture to be read here.
    """

    number: int
    page: int | None
    stream: ObjectId = (0, 0)
    inline: int | None = None
    obstacle: str = ''

    @property
    def name(self) -> str:
        """``'image 3, page 2'``."""
        page = '' if self.page is None else f'page {self.page}'
        image = '' if self.obstacle and page else f'image {self.number}'
        return ', '.join(filter(None, (image, page)))


def is_available() -> bool:
    """Whether the extra is installed."""
    return find_spec('pikepdf') is not None


def _pikepdf() -> ModuleType:
    try:
        import pikepdf
    except ImportError as error:
        raise PdfError(f'a PDF; {NEEDED}') from error
    return pikepdf


@contextmanager
def opened(file: Path | bytes) -> Iterator[Any]:
    """A ``pikepdf.Pdf`` whose structure may not unpack to more than :data:`STRUCTURE_BYTES`.

    Raises:
        PdfError: The extra is missing, or the file is locked or damaged.
    """
    pikepdf = _pikepdf()
    with limited(STRUCTURE_BYTES):
        try:
            pdf = pikepdf.open(
                BytesIO(file) if isinstance(file, bytes) else file,
                # Of a file that is cut meanwhile, mapped memory would end the process.
                access_mode=pikepdf.AccessMode.stream,
            )
        except pikepdf.PasswordError as error:
            raise PdfError(
                'a PDF that is locked by a password; save it without one and run again'
            ) from error
        except (pikepdf.PdfError, RuntimeError, ValueError) as error:
            what = re.sub(r'^.*?: ', '', str(error))  # begins with the name
            raise PdfError(
                f'a PDF that is damaged ({what}), so that its pictures cannot be found; have a '
                'PDF program repair it'
            ) from error
    with pdf:
        yield pdf


@contextmanager
def limited(most: int) -> Iterator[None]:
    """Let pikepdf unpack no stream to more than so many bytes, if its version can be told so."""
    try:
        from pikepdf.settings import set_qpdf_limits
    except ImportError:
        yield
        return
    names = ('flate_max_memory', 'png_max_memory', 'run_length_max_memory', 'tiff_max_memory')
    limits: dict[str, Any] = dict.fromkeys(names, min(most, 2**32 - 1))
    before: dict[str, Any] = set_qpdf_limits(**limits)
    try:
        yield
    finally:
        set_qpdf_limits(**before)


def has_streams(path: Path) -> bool:
    """Whether a file, be it damaged, may hold pictures: each of them is a stream."""
    last = b''
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            if b'stream' in last + block:
                return True
            last = block[-5:]
    return False


def pictures_of(file: Path | bytes) -> list[PdfPicture]:
    """All pictures of a PDF, each once, with what could not be searched for more.

    Masks of other pictures are no pictures.

    Raises:
        PdfError: See :func:`opened`.
    """
    with opened(file) as pdf, limited(CONTENT_BYTES):
        return _Search(pdf).pictures()


class _Search:
    def __init__(self, pdf: Any) -> None:
        self.pdf = pdf
        self.page_of: dict[ObjectId, int] = {}
        self.found: list[PdfPicture] = []
        self.forms: list[ObjectId] = []

    def pictures(self) -> list[PdfPicture]:
        images = self._images()
        pages = self._pages()
        self._attribute(pages)
        self.found += [PdfPicture(0, self.page_of.get(image), image) for image in images]
        for number, page in enumerate(pages, 1):
            self._inline(page.obj, number, (0, 0))
        for form in self.forms:
            self._inline(self.pdf.get_object(form), self.page_of.get(form), form)
        order = sorted(self.found, key=lambda each: (each.page is None, each.page or 0))
        kept = [each._replace(number=n) for n, each in enumerate(order[:MOST_PICTURES], 1)]
        if len(order) > len(kept):
            kept.append(self._obstacle(f'more than {MOST_PICTURES:,} pictures in one PDF', None))
        return kept

    @staticmethod
    def _obstacle(what: str, page: int | None) -> PdfPicture:
        return PdfPicture(
            MOST_PICTURES + 1, page, obstacle=f'{what}: the rest was not examined; split the file'
        )

    def _images(self) -> list[ObjectId]:
        """All objects that are pictures, on whatever page; notes the forms."""
        images: dict[ObjectId, None] = {}
        masks: set[ObjectId] = set()
        number = -1
        for number, each in enumerate(self.pdf.objects):
            if number == MOST_OBJECTS or len(images) > MOST_PICTURES + len(masks):
                break
            if not _is_stream(each):
                continue
            if each.get('/Subtype') == '/Image':
                images[each.objgen] = None
                masks |= {
                    each.get(key).objgen
                    for key in ('/SMask', '/Mask')
                    if _is_stream(each.get(key))
                }
            elif each.get('/Subtype') == '/Form' or each.get('/PatternType') == 1:
                self.forms.append(each.objgen)
        if number == MOST_OBJECTS:
            self.found.append(self._obstacle(f'more than {MOST_OBJECTS:,} objects in a PDF', None))
        return [image for image in images if image not in masks]

    def _pages(self) -> list[Any]:
        try:
            return list(self.pdf.pages)
        except Exception as error:  # noqa: BLE001  (of a broken tree, whatever qpdf makes of it)
            what = f'the pages of this PDF are damaged ({error})'
            self.found.append(self._obstacle(what, None))
            return []

    def _attribute(self, pages: list[Any]) -> None:
        """On which page pictures and forms are: one that no page names is examined all the same."""
        visits = 0
        for number, page in enumerate(pages, 1):
            below = [_get(page.obj, '/Resources')]
            for resources in below:  # which grows meanwhile
                for kind in ('/XObject', '/Pattern'):
                    entries = _get(resources, kind)
                    for key in _keys(entries):
                        visits += 1
                        if visits > MOST_VISITS:
                            return
                        each = entries[key]
                        if _is_stream(each) and each.objgen not in self.page_of:
                            self.page_of[each.objgen] = number
                            below.append(_get(each, '/Resources'))

    def _inline(self, holder: Any, page: int | None, stream: ObjectId) -> None:
        """Pictures that are written into the drawing of a page or form."""
        if len(self.found) > MOST_PICTURES:
            return
        try:
            if _may_have_inline(holder):
                self.found += [
                    PdfPicture(0, page, stream, number)
                    for number in range(len(inline_pictures(holder)))
                ]
        except Exception as error:  # noqa: BLE001  (of a broken drawing, whatever qpdf makes of it)
            what = f'the drawing of this page cannot be searched for pictures ({error})'
            self.found.append(self._obstacle(what, page))


def inline_pictures(holder: Any) -> list[Any]:
    """All ``pikepdf.PdfInlineImage`` in the drawing of a page or form, in their order."""
    parsed = _pikepdf().parse_content_stream(holder, 'BI ID EI')
    return [each.iimage for each in parsed if hasattr(each, 'iimage')]


def _may_have_inline(holder: Any) -> bool:
    """Raises ``ValueError`` where the drawing unpacks to too much, or has too many."""
    contents = holder if _is_stream(holder) else _get(holder, '/Contents')
    parts = [contents] if _is_stream(contents) else list(contents) if _is_array(contents) else []
    data, left = [], CONTENT_BYTES
    for part in filter(_is_stream, parts):
        raw, rest = unwrapped(part.read_raw_bytes(), filters_of(part), left)
        if rest:
            # Of another packing, as LZW's, at most so much becomes so much.
            raw = part.read_bytes() if len(raw) <= 2**15 else b' BI ID '
        left -= len(raw)
        data.append(raw)
    text = b'\n'.join(data)
    number = min(sum(1 for _ in word.finditer(text)) for word in (_BEGINS, _HAS_DATA))
    if number > MOST_INLINE:
        raise PdfError(f'it has more than {MOST_INLINE:,} of them')
    return number > 0


def _is_stream(each: Any) -> bool:
    return isinstance(each, _pikepdf().Stream)


def _is_array(each: Any) -> bool:
    return isinstance(each, _pikepdf().Array)


def _get(holder: Any, key: str) -> Any:
    pikepdf = _pikepdf()
    return holder.get(key) if isinstance(holder, pikepdf.Dictionary | pikepdf.Stream) else None


def _keys(holder: Any) -> list[str]:
    return list(holder.keys()) if isinstance(holder, _pikepdf().Dictionary) else []
