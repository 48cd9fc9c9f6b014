"""What a file itself tells, without a network: its facts, and pictures that analysts know."""

from collections.abc import Sequence

from .credentials import credentials_section
from .file import file_section
from .metadata import metadata_section
from .sections import Fact, Section

__all__ = [
    'Fact', 'Section', 'credentials_section', 'evidence_of', 'file_section', 'metadata_section',
]  # fmt: skip


def evidence_of(
    data: bytes,
    modified: float | None = None,
    notes: Sequence[str] | None = None,
    picture: bytes | None = None,
) -> list[Section]:
    """All that a file tells. Whatever its bytes are, this ends soon and raises nothing.

    Args:
        data: All bytes of the file.
        modified: When the file system says that it was changed last, in seconds since 1970.
        notes: What reading it has found already; ``None``: a JPEG is decoded to find its flaws.
        picture: The bytes of the one that is examined, of a file of several; default: the file.
    """
    picture = data if picture is None else picture
    return [
        file_section(data, modified, notes),
        metadata_section(picture, modified),
        credentials_section(data),
        # HERE: compression_section(picture), from .compression
    ]
