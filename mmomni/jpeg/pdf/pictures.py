"""Pictures of a PDF as the files that they were, or else as new ones with the same pixels."""

import re
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from .filters import LZW_RATIO, filters_of, unwrapped
from .finding import PdfError, PdfPicture, inline_pictures, limited, opened

BYTES_A_PIXEL = 8  # four channels of 16 bits
_AS_IT_IS = {'/DCTDecode', '/JPXDecode'}
"""Filters that are file formats: JPEG and JPEG 2000."""


class Extracted(NamedTuple):
    """Bytes of an image file, and what a person should know of them."""

    data: bytes
    notes: tuple[str, ...]


def read_picture(file: Path | bytes, picture: PdfPicture, max_pixels: int) -> Extracted:
    """The bytes of an embedded JPEG or JPEG 2000; of any other picture, a TIFF with its pixels.

    Raises:
        PdfError: It cannot be had.
    """
    if picture.obstacle:
        raise PdfError(picture.obstacle)
    with opened(file) as pdf:
        image, description, raw = _found(pdf, picture)
        most = BYTES_A_PIXEL * max_pixels + 2**26
        if len(raw) > most:
            raise PdfError(f'expected at most {most:,} bytes of a picture, got {len(raw):,}')
        filters: list[str] = []
        try:
            filters = filters_of(description)
            data, rest = unwrapped(raw, filters, most)
        except ValueError as error:
            raise PdfError(_why_not(filters, error)) from error
        notes = _notes(description, rest)
        if len(rest) == 1 and rest[0] in _AS_IT_IS:
            return Extracted(_without_blanks_behind(data), notes)
        _check_size(description, max_pixels)
        if '/LZWDecode' in rest and len(data) * LZW_RATIO > most:
            raise PdfError(f'it could unpack to more than {most:,} bytes; convert it to PNG')
        try:
            with limited(most), warnings.catch_warnings(record=True) as told:
                warnings.simplefilter('always', UserWarning)
                data = _as_tiff(image)
        except Exception as error:  # (pikepdf raises whatever a rare picture makes it)
            raise PdfError(_why_not(filters, error)) from error
        # What pikepdf says of pixels that it changes, as 16 bits that become 8.
        changed = dict.fromkeys(str(each.message) for each in told if each.category is UserWarning)
        return Extracted(data, (*notes, *changed))


def _found(pdf: Any, picture: PdfPicture) -> tuple[Any, Any, bytes]:
    """What decodes a picture, what describes it, and its bytes as they lie in the file."""
    import pikepdf

    try:
        if picture.inline is None:
            stream = pdf.get_object(picture.stream)
            return lambda: pikepdf.PdfImage(stream), stream, stream.read_raw_bytes()
        if picture.stream != (0, 0):
            holder = pdf.get_object(picture.stream)
        else:
            holder = pdf.pages[(picture.page or 1) - 1].obj
        inline = inline_pictures(holder)[picture.inline]
        return lambda: inline, inline.obj, _raw_bytes(inline)
    except (pikepdf.PdfError, IndexError, ValueError) as error:
        raise PdfError(f'it is not where it was before ({error}); run again') from error


def _raw_bytes(inline: Any) -> bytes:
    # Older versions have no public name for it.
    read = getattr(inline, 'read_raw_bytes', None) or inline._data._inline_image_raw_bytes
    return read()


def _without_blanks_behind(data: bytes) -> bytes:
    """Without the blanks that end a stream, which are none of a JPEG's bytes."""
    end = data.rfind(b'\xff\xd9') + 2
    return data[:end] if end > 1 and not data[end:].strip() else data


def _notes(description: Any, rest: list[str]) -> tuple[str, ...]:
    notes = []
    if rest not in (['/DCTDecode'], ['/JPXDecode']):
        notes.append(f'unpacked from the PDF ({_packed(filters_of(description))})')
    elif description.get('/Decode') is not None:
        notes.append('the PDF changes its values when shown (Decode), which was not examined')
    if description.get('/SMask') is not None or description.get('/Mask') is not None:
        notes.append('the PDF shows it through a mask, which was not examined')
    return tuple(notes)


def _packed(filters: list[str]) -> str:
    return ', '.join(each.removeprefix('/') for each in filters) or 'not packed'


def _why_not(filters: list[str], error: Exception) -> str:
    text = re.sub(r'\s+', ' ', str(error))[:200]
    return (
        f'a picture of a PDF ({_packed(filters)}) that cannot be unpacked '
        f'({type(error).__name__}: {text}); save it as PNG with a PDF program'
    )


def _check_size(description: Any, max_pixels: int) -> None:
    try:
        width, height = int(description.get('/Width')), int(description.get('/Height'))
    except (TypeError, ValueError) as error:
        raise PdfError('a picture of a PDF that does not say its size') from error
    if not 0 < width * height <= max_pixels or width < 0:
        raise PdfError(f'expected at most {max_pixels:,} pixels, got {width} x {height}')


def _as_tiff(image: Any) -> bytes:
    """Its pixels as a TIFF, which any mode of Pillow fits into."""
    with image().as_pil_image() as pixels, BytesIO() as file:
        # Only pixels: profiles and marks of the source would say what is no longer so.
        pixels.info.clear()
        pixels.save(file, 'TIFF')
        return file.getvalue()
