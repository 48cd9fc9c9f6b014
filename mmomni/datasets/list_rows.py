"""From the text of a list file to its rows, in every form in which such lists are written.

Lines of columns set apart by a tab, comma, semicolon or blanks; the same with a header (CSV); JSON
lists of pairs or of objects, as a whole or one a line. What a row *means* is said in
:mod:`~mmomni.datasets.lists`. Nothing is guessed: a line that can be read in two ways is read as
the files on the disk say, and is an error where they say nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from mmomni.utils.text import text_lines

from .list_columns import (
    LABELS,
    SEPARATORS,
    Exists,
    columns_of,
    fits,
    is_name,
    is_path,
    quoted_columns,
    split_columns,
)
from .pairing import called_mask

HEADERS = {
    'image': 'image images img imgs image_path img_path image_file image_name img_name '
    'image_filename path paths file files filepath file_name tampered_path tampered_image tp',
    'mask': 'mask masks mask_path mask_file mask_name mask_filename mask_image gt gt_path gt_mask '
    'ground_truth ground_truth_path seg_map seg_map_path',
    'label': 'label labels class class_label target is_tampered is_fake tampered fake forged',
}  # fmt: skip
"""What columns and keys are called; case, blanks and underlines do not matter."""
DATASETS = ['ManiDataset'], ['JsonDataset'], ['BalancedDataset']
"""What IMDL-BenCo's lists of data sets begin their entries with."""
FURTHER = 'columns after the mask (source and JPEG copy, in lists of CAT-Net)'
NO_NAME = re.compile(r'[\0-\x08\n\r\ud800-\udc7f\udd00-\udfff]')
"""Not what stands for a byte that is no text in the name of a file."""


class Row(NamedTuple):
    """One row as it is written.

    Attributes:
        place: ``'line 3'``, or ``'entry 3'`` of a JSON list.
        text: All of it, for messages.
        image: The image.
        mask: The mask, or a word for none; ``None`` if there is no such column.
        label: ``None`` if there is no such column.
        unread: What other columns are called.
    """

    place: str
    text: str
    image: str
    mask: str | None = None
    label: str | None = None
    unread: tuple[str, ...] = ()


class BadRow(NamedTuple):
    """A row that cannot be understood, and why."""

    place: str
    text: str
    reason: str


def rows_of(text: str, name: str, exists: Exists, single: bool) -> Iterator[Row | BadRow]:
    """The rows of a list, those that are empty or a comment left out.

    Args:
        text: All of the file.
        name: Its name, which says ``.json`` or nothing.
        exists: Whether there is a file of a name in the list.
        single: Whether rows may name an image and nothing else.

    Raises:
        ValueError: It is broken JSON, or JSON that lists no images.
    """
    entries = _json_entries(text, name)
    rows = _text_rows(text, exists, single) if entries is None else map(_json_row, *entries)
    for row in rows:
        names = (row.image, row.mask or '') if isinstance(row, Row) else ()
        if any(NO_NAME.search(each) for each in names):
            yield BadRow(row.place, row.text, 'got control characters in a name')
        else:
            yield row


# ---- lines ---------------------------------------------------------------------------------


def _text_rows(text: str, exists: Exists, single: bool) -> Iterator[Row | BadRow]:
    header: _Header | None = None
    first = True
    for number, written in enumerate(text_lines(text), 1):
        line, place = written.strip(), f'line {number}'
        if not line or (line.startswith('#') and not _names_a_file(line, exists, single)):
            continue
        try:
            if first and (header := _header_of(line, exists)):
                continue
            if header is not None and header.separator != ' ':
                yield header.row(place, written)
            else:
                yield _row(place, line, columns_of(line, exists, single))
        except ValueError as error:
            yield BadRow(place, line, str(error))
        finally:
            first = False


def _names_a_file(line: str, exists: Exists, single: bool) -> bool:
    """Whether the ``#`` at its start belongs to a name; one before a blank never does."""
    if re.match(r'#+(?:[ \t]|$)', line):
        return False
    try:
        return exists(columns_of(line, exists, single)[0])
    except ValueError:
        return False


def _row(place: str, text: str, columns: Sequence[str]) -> Row:
    """A row of columns in the usual order."""
    image, *rest = columns
    mask, third = (*rest, None, None)[:2]
    if third is not None and (len(rest) > 2 or third.lower() not in LABELS):
        if (later := next(filter(called_mask, rest[1:]), '')) and not called_mask(rest[0]):
            raise ValueError(f'got {later}, which is called like a mask, behind {rest[0]}')
        return Row(place, text, image, mask, None, (FURTHER,))
    return Row(place, text, image, mask, third)


# ---- headers -------------------------------------------------------------------------------


def _plain(name: str) -> str:
    return re.sub(r'[\s_-]', '', name).lower()


_ROLES = {_plain(word): role for role, words in HEADERS.items() for word in words.split()}


def is_image_column(name: str) -> bool:
    """Whether a column, or key, is called as those of images are."""
    return _ROLES.get(_plain(name)) == 'image'


def _roles_of(names: Sequence[str]) -> dict[str, str]:
    """The name of the column, or key, for ``'image'``, ``'mask'`` and ``'label'``.

    Raises:
        ValueError: Two names have one role.
    """
    roles: dict[str, str] = {}
    for name in names:
        role = _ROLES.get(_plain(name))
        if role and roles.setdefault(role, name) != name:
            raise ValueError(f'got both {roles[role]!r} and {name!r} for the {role}')
    return roles


class _Header(NamedTuple):
    separator: str
    names: list[str]

    def row(self, place: str, written: str) -> Row:
        columns = quoted_columns(written, self.separator)
        while len(columns) > len(self.names) and not columns[-1]:
            columns.pop()
        if len(columns) != len(self.names):
            raise ValueError(f'got {len(columns)} columns, but the header has {len(self.names)}')
        return _named_row(place, written, dict(zip(self.names, columns, strict=True)))


def _header_of(line: str, exists: Exists) -> _Header | None:
    """The header that a line is, if it is one.

    Raises:
        ValueError: It is one in which no column is the image, or two are.
    """
    for separator in SEPARATORS:
        names = split_columns(line, separator) or [line]
        roles = {_ROLES.get(_plain(name)) for name in names} - {None}
        if roles and (len(names) > 1 or separator == ' ') and not exists(names[0]):
            break
    else:
        return None
    if any(map(is_path, names)):
        return None
    found = _roles_of(names)
    if 'image' not in found:
        raise ValueError(f'got a header without one of {HEADERS["image"]}')
    if separator == ' ' and list(found.values()) != names:
        raise ValueError('got a header with blanks that is not `image mask label`')
    return _Header(separator, names)


def _named_row(place: str, text: str, values: Mapping[str, str]) -> Row:
    roles = _roles_of(list(values))
    if not values.get(roles.get('image', '')):
        raise ValueError(f'got no image (one of {HEADERS["image"]})')
    unread = tuple(name for name in values if name not in roles.values())
    mask, label = (values[roles[role]] if role in roles else None for role in ('mask', 'label'))
    return Row(place, text, values[roles['image']], mask, label, unread)


# ---- JSON ----------------------------------------------------------------------------------


def _json_entries(text: str, name: str) -> tuple[list[str], list[Any]] | None:
    """Places and entries of a JSON list or of lines of JSON; ``None``: it is none."""
    if text.lstrip()[:1] not in ('[', '{'):
        return None
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        if lines := _json_lines(text):
            return lines
        if PurePath(name).suffix.lower() not in ('.json', '.jsonl'):
            return None
        raise ValueError(f'the JSON cannot be read ({error})') from error
    if isinstance(entries, dict):  # perhaps one line of JSON
        image = entries.get(_roles_of(list(entries)).get('image', ''))
        entries = [entries] if isinstance(image, str) else entries
    if not isinstance(entries, list):
        raise ValueError(
            'expected a list of [image, mask] or of objects with image, mask and label, got an '
            f'object with the keys {", ".join(list(entries)[:5])}'
        )
    for each in entries[:1]:
        if isinstance(each, list) and each[:1] in DATASETS:
            raise ValueError(f'it lists data sets ({each[0]}), not images; take the list of each')
    return [f'entry {number}' for number in range(1, len(entries) + 1)], entries


def _json_lines(text: str) -> tuple[list[str], list[Any]] | None:
    places, entries = [], []
    for number, line in enumerate(text_lines(text), 1):
        if not line.strip():
            continue
        try:
            entries.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            if not entries:
                return None
            entries.append(error)
        places.append(f'line {number}')
    return places, entries


def _json_row(place: str, entry: Any) -> Row | BadRow:
    text = str(entry) if isinstance(entry, Exception) else json.dumps(entry, ensure_ascii=False)
    try:
        if isinstance(entry, str):
            return Row(place, text, entry)
        if isinstance(entry, dict):
            return _named_row(place, text, {key: _word(value) for key, value in entry.items()})
        if isinstance(entry, list) and all(not isinstance(each, (dict, list)) for each in entry):
            columns = [_word(each) for each in entry]
            if len(columns) == 1 or fits(columns, ',', is_name):
                return _row(place, text, columns)
        raise ValueError('got something else')
    except ValueError as error:
        return BadRow(place, text, str(error))


def _word(value: Any) -> str:
    """What a column would hold; nothing for ``null``."""
    return '' if value is None else value.strip() if isinstance(value, str) else json.dumps(value)
