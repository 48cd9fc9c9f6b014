"""Names of published files end with the first digits of the SHA-256 of what is in them."""

import re
from pathlib import Path

from .files import file_sha256

DESCRIPTION = 'mmomni'
"""Under this name a published file holds its description, a JSON text."""
DIGITS = 8


class UnusableFileError(ValueError):
    """A checkpoint is damaged, is not what its name says, or would run code; in one line."""


def named_by_digest(out: Path, content: Path) -> Path:
    """``out`` with the digits of a file that has its content: ``NAME-xxxxxxxx.pth``."""
    return out.with_name(f'{out.stem}-{file_sha256(content)[:DIGITS]}{out.suffix}')


def without_digest(path: Path) -> Path:
    """``NAME-xxxxxxxx.pth`` -> ``NAME.pth``; other names stay as they are."""
    return path.with_name(re.sub(rf'-[0-9a-f]{{{DIGITS}}}$', '', path.stem) + path.suffix)


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
