"""What a file itself tells, without a network: its facts, and pictures that analysts know."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mmomni.utils.quiet import without_words_of_decoders

from .compression import compression_section
from .credentials import credentials_section
from .file import file_section, notes_on
from .metadata import metadata_section
from .sections import Fact, Section
from .wording import reason_of

__all__ = [
    'Fact', 'Section', 'compression_section', 'credentials_section', 'evidence_of', 'file_section',
    'metadata_section',
]  # fmt: skip


def evidence_of(
    data: bytes,
    modified: float | None = None,
    notes: Sequence[str] | None = None,
    picture: bytes | None = None,
    name: str = '',
) -> list[Section]:
    """All that a file tells. Whatever its bytes are, this ends soon and raises nothing.

    Args:
        data: All bytes of the file.
        modified: When the file system says that it was changed last, in seconds since 1970.
        notes: What reading it has found already; ``None``: a JPEG is decoded to find its flaws.
        picture: The bytes of the one that is examined, of a file of several; default: the file.
        name: Of the file, to be compared with its format; empty: not known.
    """
    picture = data if picture is None else picture
    if notes is None:
        with _quietly():
            notes = notes_on(data)
    return [
        _section('File', lambda: file_section(data, modified, notes, name)),
        _section('Metadata', lambda: metadata_section(picture, modified)),
        _section('Compression', lambda: compression_section(picture, notes)),
        _section('Content Credentials', lambda: credentials_section(data)),
    ]


def _section(title: str, make: Callable[[], Section]) -> Section:
    """A section, whatever happens: what a file tells beside its picture ends no run."""
    try:
        with _quietly():
            return make()
    except Exception as error:  # noqa: BLE001
        return Section(title, (Fact(title, 'not read', reason_of(error)),))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what Pillow and libjpeg say of metadata and damage, which the facts speak of."""
    with warnings.catch_warnings(), without_words_of_decoders():
        warnings.simplefilter('ignore')
        yield
