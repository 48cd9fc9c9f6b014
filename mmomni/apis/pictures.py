"""Files of several pictures: pages of a TIFF, what a PDF holds; each read when asked for."""

from pathlib import Path
from typing import NamedTuple

from mmomni.jpeg import ImageReadError, pdf, tiff
from mmomni.utils.file_kinds import HEAD_BYTES, is_pdf
from mmomni.utils.regular_files import open_regular

from .lists import NOT_A_LIST, is_text_file

LARGEST = 2**31
"""Bytes; of larger files the pages are not looked for, and reading refuses them."""

MISSING_PAGES = 'the file says that it has more pages, which are not there'


class Picture(NamedTuple):
    """One of the pictures in a file.

    Attributes:
        name: ``'page 2'``, ``'image 3, page 2'``: unlike that of any other in the file.
        page: From 1; ``None``: not known.
        place: Of the page's first directory in a TIFF, from the start of the file in bytes; or in a
            PDF.
        notes: What a person should know of the file; looked for once, not for every page.
    """

    name: str
    page: int | None
    place: int | pdf.PdfPicture
    notes: tuple[str, ...] = ()


class Content(NamedTuple):
    """Where the bytes of one image are, and what a person should know of them."""

    content: Path | bytes
    notes: list[str]


def pictures_in(file: Path | bytes) -> list[Picture]:
    """The pictures of a file of several, or of a PDF; none if the file is its only picture.

    None, too, where they cannot be found: reading the file then tells why.
    """
    try:
        return _pictures_in(file)
    except (OSError, ValueError):
        return []


def _pictures_in(file: Path | bytes) -> list[Picture]:
    head = head_of(file)
    if is_pdf(head):
        return pictures_of_pdf(file)
    if not tiff.is_tiff(head) or _size(file) > LARGEST:
        return []
    data = _bytes_of(file)
    places = tiff.main_pages(data)
    if len(places) < 2:
        return []
    notes = (MISSING_PAGES,) if tiff.pages_of(data).is_broken else ()
    return [Picture(f'page {page}', page, place, notes) for page, place in enumerate(places, 1)]


def pictures_of_pdf(file: Path | bytes) -> list[Picture]:
    """Raises ``PdfError`` where they cannot be found."""
    found: dict[str, Picture] = {}
    for place in pdf.pictures_of(file):
        name = place.name if place.name not in found else f'{place.name}, {len(found) + 1}'
        found[name] = Picture(name, place.page, place)
    return list(found.values())


def content_of(file: Path | bytes, picture: Picture | None, name: str, most: int) -> Content:
    """What an image reader is to be given of a file.

    Args:
        file: Its path or bytes.
        picture: Of :func:`pictures_in`; ``None``: the file is its only picture.
        name: What an error message calls it.
        most: Pixels that are unpacked.

    Raises:
        ImageReadError: A picture, or a PDF, cannot be used.
        OSError: The file cannot be read.
    """
    try:
        if picture is None:
            if is_pdf(head_of(file)):
                pdf.pictures_of(file)
                raise ImageReadError(f'{name}: expected an image, got a PDF without pictures')
            if isinstance(file, Path) and is_text_file(file):
                raise ImageReadError(f'{name}: {NOT_A_LIST}')
            return Content(file, [])
        if isinstance(picture.place, pdf.PdfPicture):
            return Content(*_extracted(file, picture.place, most))
        return Content(_page_of_tiff(file, picture.place, name), list(picture.notes))
    except pdf.PdfError as error:
        raise ImageReadError(f'{name}: {error}') from error


def _extracted(file: Path | bytes, place: pdf.PdfPicture, most: int) -> tuple[bytes, list[str]]:
    data, notes = pdf.read_picture(file, place, most)
    return data, list(notes)


def _page_of_tiff(file: Path | bytes, place: int, name: str) -> bytes:
    try:
        return tiff.with_first(_bytes_of(file), place)
    except ValueError as error:
        raise ImageReadError(f'{name}: this page is not there any more ({error})') from error


def head_of(file: Path | bytes) -> bytes:
    """The first bytes of a file; of pipes, devices and what cannot be opened, none."""
    if isinstance(file, bytes):
        return file[:HEAD_BYTES]
    try:
        with open_regular(file) as stream:
            return stream.read(HEAD_BYTES)
    except OSError:
        return b''


def _size(file: Path | bytes) -> int:
    return len(file) if isinstance(file, bytes) else file.stat().st_size


def _bytes_of(file: Path | bytes) -> bytes:
    if isinstance(file, bytes):
        return file
    with open_regular(file) as stream:
        return stream.read(LARGEST + 1)
