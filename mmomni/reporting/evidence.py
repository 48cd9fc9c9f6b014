"""What the file of an image tells by itself, for its record."""

from pathlib import Path
from typing import Any

from mmomni.apis.pictures import Picture, content_of
from mmomni.apis.results import Prediction
from mmomni.evidence import Fact, Section, evidence_of
from mmomni.jpeg import ImageReadError
from mmomni.jpeg.limits import MAX_PIXELS
from mmomni.utils.regular_files import open_regular

from .image_files import ImageFile
from .record import FileState

LARGEST = 2**28
"""Bytes; of larger files, which are read a second time for it, there is none."""
_NANOSECONDS = 1e9


def evidence_in_file(file: ImageFile, state: FileState, prediction: Prediction) -> list[Section]:
    """:func:`evidence_in` a file on the disk.

    Raises:
        OSError: It cannot be read any more.
    """
    if state.size_bytes > LARGEST:
        note = f'larger than the {LARGEST:,} bytes up to which a file is looked at'
        return [Section('File', (Fact('Size', f'{state.size_bytes:,} bytes', note),))]
    with open_regular(file.path) as stream:
        data = stream.read(LARGEST + 1)
    modified = state.mtime_ns / _NANOSECONDS
    return evidence_in(data, file.path.name, file.picture, prediction, modified)


def evidence_in(
    data: bytes,
    name: str,
    picture: Picture | None,
    prediction: Prediction,
    modified: float | None = None,
) -> list[Section]:
    """What the bytes and the name of a file tell; of one picture, where they hold several.

    What is odd in the file the prediction tells, so that nothing is decoded again to find them.
    """
    content: Path | bytes = data
    if picture is not None:
        try:
            content = content_of(data, picture, prediction.source, MAX_PIXELS).content
        except ImageReadError:  # which the facts of no bytes tell
            content = b''
    assert isinstance(content, bytes)
    return evidence_of(data, modified, prediction.flaws, content, name)


def record_of(section: Section, files: dict[str, str]) -> dict[str, Any]:
    """A section in a record, with the files of its pictures by what they show."""
    pictures = [dict(shows=shows, file=file) for shows, file in files.items()]
    return dict(section.as_record(), pictures=pictures)
