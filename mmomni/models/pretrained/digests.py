"""Names of published files end with the first digits of the SHA-256 of what is in them."""

import re
from pathlib import Path

from mmomni.utils.files import file_sha256

from .harmless import UnusableFileError

DESCRIPTION = 'mmomni'
"""Under this name a published file holds its description, a JSON text."""
DIGITS = 8


def named_by_digest(out: Path, content: Path) -> Path:
    """``out`` with the digits of a file that has its content: ``NAME-xxxxxxxx.pth``."""
    return out.with_name(f'{out.stem}-{file_sha256(content)[:DIGITS]}{out.suffix}')


def demand_digest(path: Path) -> None:
    """Compare a published file with the digits in its name, if there are any.

    Other projects' files are none of ours, whatever their names end with.

    Raises:
        UnusableFileError: It is not what was published under this name.
    """
    named = re.search(rf'-([0-9a-f]{{{DIGITS}}})$', path.stem)
    if named is None or (digits := file_sha256(path)[:DIGITS]) == named[1]:
        return
    raise UnusableFileError(
        f'{path} was damaged or changed after it was published: expected content whose SHA-256 '
        f'begins with {named[1]}, as the name says, got {digits}; download it anew or, if you '
        f'changed it on purpose, give it a name without these digits'
    )
