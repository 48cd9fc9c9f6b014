"""The one reader of list files: for training, ``check-data`` and ``calibrate``.

Which forms there are is said in :mod:`~mmomni.datasets.list_rows`; here a row becomes an image with
its mask, or an authentic one, or a fault that names its line.
"""

import os.path as osp
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mmomni.utils.text import read_text

from .list_columns import AUTHENTIC, LABELS, is_label
from .list_rows import FURTHER, BadRow, Row, rows_of
from .presence import absent_files, any_exists, is_first_process

EXPECTED = 'expected `image mask` or `image -` (separated by a tab if names hold blanks or commas)'
SHOWN = 3
SHOWN_TEXT = 200
NO_TEXT = {
    b'\x80': 'a pickle, which may run code when it is read',
    b'PK\x03\x04': 'an archive, or the sheet of a spreadsheet program',
    b'\x89PNG': 'an image',
    b'\xff\xd8\xff': 'an image',
    b'\x1f\x8b': 'a compressed file',
    b'PAR1': 'a Parquet table',
    b'SQLite': 'a database',
}
"""First bytes of what is taken for a list, and what it is."""


class ListedPair(NamedTuple):
    """An image of a list, with its mask, or ``None`` if it is authentic; both below the root."""

    image: str
    mask: str | None
    place: str  # 'line 3', or 'entry 3' of a JSON list


class ListFault(NamedTuple):
    """What is wrong with a row.

    Attributes:
        kind: ``'list-line'``, it cannot be understood, or ``'list-contradiction'``, as
            ``check-data`` calls them.
        place: As of a :class:`ListedPair`.
        message: What was expected and what came.
    """

    kind: str
    place: str
    message: str


@dataclass
class ListFile:
    """What a list file says.

    Attributes:
        pairs: Its images, in its order; rows with a fault are left out.
        faults: The rows that cannot be used.
        notes: What is worth a line of the log.
    """

    pairs: list[ListedPair] = field(default_factory=list)
    faults: list[ListFault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _ContradictionError(ValueError):
    """A row says one thing and another."""


def read_list(path: Path, root: str, single: bool = False) -> ListFile:
    """Read a list file of any form.

    Args:
        path: The list.
        root: Its paths are relative to this folder.
        single: Whether a row with an image alone is an authentic image; else it is a fault.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no text, or JSON that lists no images.
    """

    def below(name: str) -> str:
        return _below(root, name)

    text = _text_of(path)
    found, seen = ListFile(), dict[str, ListedPair]()
    repeated: list[str] = []
    unread: dict[str, None] = {}
    try:
        for row in rows_of(text, str(path), lambda name: osp.isfile(below(name)), single):
            try:
                pair = _pair_of(row, below, single)
                earlier = seen.setdefault(osp.normpath(pair.image), pair)
                _check_agreement(pair, earlier)
            except ValueError as error:
                is_line = not isinstance(error, _ContradictionError)
                kind = 'list-line' if is_line else 'list-contradiction'
                found.faults.append(ListFault(kind, row.place, str(error)))
                continue
            found.pairs.append(pair)
            repeated += [row.place] if earlier is not pair else []
            unread |= dict.fromkeys(row.unread if isinstance(row, Row) else ())
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    found.notes = _notes(path, repeated, list(unread))
    return found


def pairs_of_list(path: Path, root: str, single: bool = False) -> ListFile:
    """A list file as :func:`read_list` reads it, without one fault.

    Raises:
        OSError: It cannot be read.
        ValueError: There are faults; the first ones are named with their lines.
    """
    found = read_list(path, root, single)
    if found.faults:
        lines = [f'{_where(path, each.place)}: {each.message}' for each in found.faults[:SHOWN]]
        if len(found.faults) > SHOWN:
            lines.append(f'... and {len(found.faults) - SHOWN} more of its lines')
        raise ValueError('\n  '.join(lines))
    return found


def authentic_of_list(path: Path, root: str) -> list[str]:
    """The images of a list that names authentic ones only, each once.

    Lines are ``image -`` or ``image``; ``root`` is as in :func:`read_list`. Files that are not
    there are noticed where they are read, unless all are missing.

    Raises:
        FileNotFoundError: There is no list, or none of its images.
        ValueError: It has faults, no image, or images with masks.
    """
    if not path.is_file():
        raise FileNotFoundError(f'expected a list of authentic images at {path}, found no file')
    pairs = pairs_of_list(path, root, single=True).pairs
    if not pairs:
        raise ValueError(f'{path}: expected a list of authentic images, found none in it')
    masked = [pair for pair in pairs if pair.mask is not None]
    if masked:
        raise ValueError(
            f'{path}: expected authentic images only (lines `image -`), but {len(masked)} have '
            f'masks, the first is {masked[0].image} ({masked[0].place}); make a list without them'
        )
    describe_missing(path, root, pairs)  # what is named later, unless all are
    return list(dict.fromkeys(pair.image for pair in pairs))


def describe_missing(path: Path, root: str, pairs: Sequence[tuple]) -> str:
    """How many files of a list are not there, and which; nothing if all are.

    Of several processes the first one looks at all of them. The others look at a few, and at all if
    none of these exists: so that each of them raises, or none does.

    Args:
        path: The list.
        root: What its paths are relative to.
        pairs: Tuples that begin with an image and its mask (``None``: authentic).

    Raises:
        FileNotFoundError: Not one is there.
    """
    files = [file for pair in pairs for file in pair[:2] if file is not None]
    if not is_first_process() and any_exists(files):
        return ''
    absent = absent_files(files)
    missing = [file for file in files if file in absent]
    if not missing:
        return ''
    message = f'{len(missing)} files of {path} do not exist: {missing[:3]}...'
    if len(missing) == len(files):
        raise FileNotFoundError(f'{message}; check data_root={root!r}')
    return message


# ---- rows ----------------------------------------------------------------------------------


def _pair_of(row: Row | BadRow, below: Callable[[str], str], single: bool) -> ListedPair:
    text = repr(row.text[:SHOWN_TEXT])
    if isinstance(row, BadRow):
        raise ValueError(f'{EXPECTED}, {row.reason}: {text}')
    if row.label is None and row.mask is not None and is_label(row.mask):
        row = row._replace(mask=None, label=row.mask)
    tampered = LABELS.get((row.label or '').lower())
    if row.label and tampered is None:
        raise ValueError(f'expected a label of 0 or 1, got {row.label!r}: {text}')
    if row.mask is None and tampered is None and not single:
        raise ValueError(f'{EXPECTED}, got 1 column: {text}')
    image = below(row.image)
    if row.mask is None or row.mask.lower() in AUTHENTIC:
        if tampered:
            raise _ContradictionError(
                f'expected a mask beside the label {row.label} (tampered), got none: {text}'
            )
        return ListedPair(image, None, row.place)
    if tampered is False:
        raise _ContradictionError(
            f'expected no mask beside the label {row.label} (authentic), got {row.mask}: {text}'
        )
    mask = below(row.mask)
    if osp.normpath(mask) == osp.normpath(image):
        raise _ContradictionError(f'expected an image and its mask, got one file as both: {text}')
    return ListedPair(image, mask, row.place)


def _check_agreement(pair: ListedPair, earlier: ListedPair) -> None:
    """Refuse an image that has another mask in an earlier row."""
    masks = [each.mask and osp.normpath(each.mask) for each in (pair, earlier)]
    if masks[0] != masks[1]:
        now, before = (mask or 'no mask' for mask in masks)
        raise _ContradictionError(
            f'expected one mask of {pair.image}, got {now} here and {before} in {earlier.place}'
        )


def _below(root: str, name: str) -> str:
    """The path of a listed name; those of Windows are turned unless there is a file so called."""
    plain = osp.join(root, _without_dot(name))
    if '\\' in name and not osp.lexists(plain):
        return osp.join(root, _without_dot(name.replace('\\', '/')))
    return plain


def _without_dot(name: str) -> str:
    return re.sub(r'^(?:\./+)+', '', name)


# ---- words ---------------------------------------------------------------------------------


def _text_of(path: Path) -> str:
    try:
        return read_text(path)
    except ValueError as error:
        with path.open('rb') as file:
            head = file.read(8)
        for magic, words in NO_TEXT.items():
            if head.startswith(magic):
                raise ValueError(
                    f'{path}: expected a list file, which is text, got {words}; save it as CSV or '
                    'as lines `image<tab>mask`'
                ) from error
        raise


def _where(path: Path, place: str) -> str:
    """As editors and compilers write a line."""
    kind, number = place.split()
    return f'{path}:{number}' if kind == 'line' else f'{path}, {place}'


def _notes(path: Path, repeated: Sequence[str], unread: Sequence[str]) -> list[str]:
    notes = []
    if repeated:
        notes.append(
            f'{path}: {len(repeated)} rows repeat earlier ones, the first is {repeated[0]}; their '
            'images are drawn more often'
        )
    if unread:
        names = ', '.join(FURTHER if name == FURTHER else repr(name) for name in unread)
        notes.append(f'{path}: not read, since neither image nor mask nor label: {names}')
    return notes
