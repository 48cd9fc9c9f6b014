"""Lists of files as input: text files, and what another program writes to ours."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmomni.datasets.list_columns import image_of
from mmomni.datasets.list_rows import BadRow, rows_of
from mmomni.utils.file_kinds import kind_of
from mmomni.utils.text import decode_text, text_lines

STANDARD_INPUT = '-'
TABLES = ('.csv', '.tsv', '.json', '.jsonl')
"""Suffixes of lists with columns or keys, which the reader of training's lists takes apart."""
LIST_SUFFIXES = ('.txt', *TABLES)
SHOWN = 3
NOT_A_LIST = (
    'expected an image, or a list of images, but no line of it names a file that exists, neither '
    'in its folder nor in the working directory'
)


class Listed(NamedTuple):
    """A path of a list, and the folder that it is relative to."""

    path: Path
    root: Path


def is_text_file(item: str | Path) -> bool:
    """Whether an input is called like a list and is no image, and so perhaps a list of some."""
    path = Path(item)
    if path.suffix.lower() not in LIST_SUFFIXES or not os.path.isfile(path):
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
        ValueError: Standard input gives no path; or rows of CSV or JSON cannot be understood.
    """
    if item != STANDARD_INPUT:
        path, roots = Path(item), [Path(item).parent, Path()]
        is_table = path.suffix.lower() in TABLES
        found = (_found_in_table if is_table else _found_in)(path.read_bytes(), roots, path)
        return found if any(os.path.lexists(each.path) for each in found) else []
    found = _found_in(sys.stdin.buffer.read(), [Path()], Path(STANDARD_INPUT))
    if not found:
        raise ValueError('standard input: expected the path of an image in each line, got none')
    return found


def _found_in_table(data: bytes, roots: Sequence[Path], path: Path) -> list[Listed]:
    """What a list of CSV or JSON names; nothing of text that is none, or names nothing there."""

    def exists(name: str) -> bool:
        return _existing(_spellings(name), roots) is not None

    try:
        rows = list(rows_of(decode_text(data, 'list'), str(path), exists, single=True))
    except ValueError:
        return []
    good = [row.image for row in rows if not isinstance(row, BadRow)]
    bad = [row for row in rows if isinstance(row, BadRow)]
    if bad and any(map(exists, good)):
        told = [f'{row.place}: {row.reason}: {row.text[:200]!r}' for row in bad[:SHOWN]]
        more = f'\n  ... and {len(bad) - SHOWN} more' if len(bad) > SHOWN else ''
        raise ValueError(
            f'{path}: expected the path of an image in each row; mend or remove\n  '
            + '\n  '.join(told) + more
        )  # fmt: skip
    return [located(name, roots) for name in good]


def located(name: str, roots: Sequence[Path]) -> Listed:
    """A name of a table in the first folder where there is such a file, else in the first."""
    return _existing(_spellings(name), roots) or _listed(name, roots[0])


def _found_in(data: bytes, roots: Sequence[Path], _: Path) -> list[Listed]:
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
    # The most literal first: names may hold blanks, commas and quotes.
    found = _existing([line, *_spellings(entry)], roots)
    if found is not None:
        return found
    image = image_of(entry, lambda name: _existing(_spellings(name), roots) is not None)
    if image is not None:
        return _existing(_spellings(image), roots)
    return None if entry.startswith('#') else _listed(entry.split('\t')[0].strip(), roots[0])


def _spellings(name: str) -> list[str]:
    """A name, and as Windows would have meant it."""
    return [name, name.replace('\\', '/')]


def _existing(names: Sequence[str], roots: Sequence[Path]) -> Listed | None:
    for name in names:
        for root in roots:
            if name and '\0' not in name and os.path.lexists(root / name):
                return _listed(name, root)
    return None


def _listed(name: str, root: Path) -> Listed:
    path = root / name
    return Listed(path, path.parent if os.path.isabs(name) else root)
