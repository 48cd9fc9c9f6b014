"""The file as such, whatever it shows."""

from collections.abc import Sequence
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path

from mmomni.jpeg import open_image
from mmomni.jpeg.damage.integrity import BROKEN_METADATA, examined
from mmomni.jpeg.guarded import check_image
from mmomni.jpeg.limits import MAX_PIXELS
from mmomni.jpeg.opening import PASSED_OVER
from mmomni.jpeg.orientation import stored_size
from mmomni.jpeg.tiff.pixels import LAYOUT
from mmomni.utils.file_kinds import HEAD_BYTES, certain_image_format, other_format, untold_in

from .sections import Fact, Section
from .wording import reason_of, shown

NAME = 'the file'
NO_FLAWS = 'nothing found wrong'


def file_section(
    data: bytes,
    modified: float | None = None,
    notes: Sequence[str] | None = None,
    name: str = '',
) -> Section:
    """Size, SHA-256, format, date and integrity of a file.

    Args:
        data: All its bytes.
        modified: When the file system says that it was changed last, in seconds since 1970.
        notes: What reading it has found already; ``None``: a JPEG is decoded to find its flaws.
        name: Of the file, to be compared with its format; empty: not known.
    """
    return Section('File', (
        Fact('Size', f'{len(data):,} bytes'),
        Fact('SHA-256', sha256(data).hexdigest(), 'the same for no other content'),
        _format(data),
        *_name(data, name),
        _modified(modified),
        *_integrity(notes_on(data) if notes is None else notes),
    ))  # fmt: skip


def _format(data: bytes) -> Fact:
    try:
        with open_image(data) as image:
            width, height = stored_size(image)
            name = image.format or 'image'
            return Fact('Format', f'{name}, {width} x {height} px, {image.mode}')
    except Exception as error:  # noqa: BLE001  (broken files make decoders raise anything)
        head = data[:HEAD_BYTES]
        kind = certain_image_format(head) or other_format(head)
        value = kind.upper() if kind else 'not known'
        return Fact('Format', value, f'not opened as an image ({reason_of(error)})')


def _name(data: bytes, name: str) -> list[Fact]:
    """That the suffix says something else than the content, where it does."""
    path = Path(name)
    untold = path.suffix and untold_in(data[:HEAD_BYTES], path)
    note = f'says something else than the content, which is {untold.upper()}; read as that'
    return [Fact('Suffix of the name', shown(path.suffix), note)] if untold else []


def _modified(modified: float | None) -> Fact:
    term = 'Changed on disk'
    if modified is None:
        return Fact(term, 'not known', 'the bytes came without a date')
    try:
        moment = datetime.fromtimestamp(modified, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return Fact(term, 'not known', 'its date is none')
    return Fact(
        term, f'{moment:%Y-%m-%d %H:%M:%S} UTC', 'copying and downloading may set it anew'
    )


def _integrity(notes: Sequence[str]) -> list[Fact]:
    return [Fact('Integrity', shown(note, 600)) for note in notes] or [Fact('Integrity', NO_FLAWS)]


def notes_on(data: bytes) -> list[str]:
    """What is odd or broken in a file, which is decoded; or why it could not be looked for."""
    try:
        check_image(data, NAME, MAX_PIXELS)
        with open_image(data) as image:
            notes = list(image.info[LAYOUT].notes) if LAYOUT in image.info else []
            notes += [BROKEN_METADATA] if image.info.get(PASSED_OVER) else []
        return notes + [flaw.text for flaw in examined(data)[1]]
    except Exception as error:  # noqa: BLE001  (broken files make decoders raise anything)
        reason = str(error).removeprefix(f'{NAME}: ') or reason_of(error)
        return [f'not examined: {reason}']
