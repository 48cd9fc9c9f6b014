"""Lists of files as input: text files, and what another program writes to ours."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mmomni.utils.file_kinds import kind_of
from mmomni.utils.text import decode_text, text_lines

STANDARD_INPUT = '-'
LIST_SUFFIX = '.txt'
NO_MASK = frozenset(('-', 'none', 'negative', '0', '1'))
"""What lists have in place of the mask of an image that is authentic, or its label."""
NOT_A_LIST = (
    'expected an image, or a list of images, but no line of it names a file that exists, neither '
    'in its folder nor in the working directory'
)


class Listed(NamedTuple):
    """A path of a list, and the folder that it is relative to."""

    path: Path
    root: Path


def is_text_file(item: str | Path) -> bool:
    """Whether an input is a file ``*.txt`` that is no image, and so perhaps a list of some."""
    path = Path(item)
    if path.suffix.lower() != LIST_SUFFIX or not os.path.isfile(path):
        return False
    kind = kind_of(path)
    return not kind.is_image and kind.name not in ('empty', 'pdf')


def listed_paths(item: str | Path) -> list[Listed]:
    """The paths in a list, in its order; ``-`` is the list that standard input gives.

    Lines, or, as ``find -print0`` writes them, names that end in NUL bytes; each a path or, as in
    the lists that training reads, an image and its mask, of which the first counts. Empty lines
    and those that begin with ``#`` are passed over. A path is relative to the list's folder, or
    else to the working directory.

    Returns:
        All of them, also those that do not exist; none of a file if no path in it exists.

    Raises:
        ValueError: Standard input gives no path.
    """
    if item != STANDARD_INPUT:
        found = _found_in(Path(item).read_bytes(), [Path(item).parent, Path()])
        return found if any(os.path.lexists(each.path) for each in found) else []
    found = _found_in(sys.stdin.buffer.read(), [Path()])
    if not found:
        raise ValueError('standard input: expected the path of an image in each line, got none')
    return found


def _found_in(data: bytes, roots: Sequence[Path]) -> list[Listed]:
    try:
        text = decode_text(data, 'list')
    except ValueError:
        text = os.fsdecode(data)  # names of files are bytes, whatever their encoding
    if '\0' in text:
        names = filter(None, text.split('\0'))
        return [_existing([name], roots) or _listed(name, roots[-1]) for name in names]
    lines = (line for line in text_lines(text) if line.strip())
    return [found for line in lines if (found := _of_line(line, roots)) is not None]


def _of_line(line: str, roots: Sequence[Path]) -> Listed | None:
    """What a line of a list names; ``None``: it is a comment."""
    entry = line.strip()
    found = _existing([line, *_readings(entry, roots)], roots)
    if found is not None:
        return found
    return None if entry.startswith('#') else _listed(entry.split('\t')[0].strip(), roots[0])


def _readings(entry: str, roots: Sequence[Path]) -> Iterator[str]:
    """What a line may mean, the most literal first: names may hold blanks and commas."""
    yield entry
    yield entry.replace('\\', '/')
    for separator in ('\t', ',', None):
        first, *others = (part.strip() for part in entry.split(separator))
        masks = [part.replace('\\', '/') for part in others[:1]]
        known = masks and (masks[0].lower() in NO_MASK or _existing(masks, roots))
        if known or (others and separator == '\t'):
            yield first
            yield first.replace('\\', '/')


def _existing(names: Iterator[str] | Sequence[str], roots: Sequence[Path]) -> Listed | None:
    for name in names:
        for root in roots:
            if name and os.path.lexists(root / name):
                return _listed(name, root)
    return None


def _listed(name: str, root: Path) -> Listed:
    path = root / name
    return Listed(path, path.parent if os.path.isabs(name) else root)
