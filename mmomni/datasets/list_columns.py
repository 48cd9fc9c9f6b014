"""From one line of a list file to its columns, whatever separates them."""

import csv
import os.path as osp
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations

from mmomni.utils.file_kinds import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES

AUTHENTIC = frozenset((
    '', '-', 'negative', 'none', 'null', 'nan', 'na', 'n/a', '<na>',
    'authentic', 'real', 'pristine',
))  # fmt: skip
"""What stands in the place of a mask if there is none, in lower case."""
LABELS = dict.fromkeys(('0', '0.0', 'false', 'authentic', 'real', 'pristine', 'negative'), False)
LABELS |= dict.fromkeys(('1', '1.0', 'true', 'tampered', 'fake', 'forged', 'positive'), True)
"""Labels in lower case, and whether they say "tampered"."""
SUFFIXES = IMAGE_SUFFIXES | OTHER_IMAGE_SUFFIXES | {'.npy', '.npz', '.mat', '.hdr'}
"""Of images and masks, readable or not: they show where a name ends that holds blanks or commas."""
# Blanks in front of a mark are looked at once, however many there are.
_BLANKS = r'(?:(?<![ \t])[ \t]+)?'
SEPARATORS = {
    '\t': re.compile(r'(?:(?<![ \t]) +)?\t[ \t]*'),
    ',': re.compile(rf'{_BLANKS},[ \t]*'),
    ';': re.compile(rf'{_BLANKS};[ \t]*'),
    ' ': re.compile(r'[ \t]+'),
}
NUMBER = re.compile(r'[-+]?\d+(?:\.\d*)?')
COMMENT = re.compile(r'(?<![ \t])[ \t]+#')
MOST_COLUMNS = 4
MOST_SEPARATORS = 40
"""In lines of more, no names are looked for that hold separators."""

Exists = Callable[[str], bool]
"""Whether there is a file of a name in the list."""


def columns_of(line: str, exists: Exists, single: bool) -> Sequence[str]:
    """The columns of a line: image, mask, label or other files; the image alone if it may be.

    A comment may follow them after a blank.

    Raises:
        ValueError: It is no such line, or several at once.
    """
    comment = COMMENT.search(line)
    if comment is None:
        return _columns_of(line, exists, single)
    readings = []
    for part in (line[: comment.start()], line):
        try:
            readings.append(_columns_of(part, exists, single))
        except ValueError:
            if part is line and not readings:
                raise
    there = [columns for columns in readings if _all_exist(columns, exists)]
    return (there or readings)[0]


def _columns_of(line: str, exists: Exists, single: bool) -> Sequence[str]:
    splits = {mark: columns for mark in SEPARATORS if (columns := split_columns(line, mark))}
    direct: list[list[str]] = []
    for mark, split in splits.items():
        direct += [split] if fits(split, mark, is_path) and split not in direct else []
    tab = splits.get('\t')
    if len(direct) == 1 and (direct[0] == tab or len(splits) == 1):
        return direct[0]
    # What is more than columns and separators is part of a name that is on the disk.
    whole = [[line]] if single and (is_path(line) or exists(line)) else []
    ways = [*direct, *(cut for cut in _cuts(line) if cut not in direct), *whole]
    if len(ways) == 1 and direct:
        return direct[0]
    there = [way for way in ways if _all_exist(way, exists)]
    chosen = [way for way in there if way in direct] or there or direct or whole
    if not chosen:  # names without a suffix
        chosen = [split for mark, split in splits.items() if fits(split, mark, is_name)][:1]
    if len(chosen) == 1 or tab in chosen:
        return tab if tab in chosen else chosen[0]
    if chosen:
        raise ValueError(f'got what can be read as {" or ".join(map(" | ".join, chosen))}')
    if any(map(_is_out_of_place, splits.values())):
        raise ValueError('got a number or label in the place of a file')
    count = len(next(iter(splits.values()), [line]))
    raise ValueError(f'got {count} column{"" if count == 1 else "s"}')


def image_of(line: str, exists: Exists) -> str | None:
    """The image in a line of a list, if that is there; ``None``: none is.

    What else the line names need not exist, but is cut off at a blank only if it holds none itself:
    names can be long.
    """
    try:
        image = columns_of(line, exists, single=True)[0]
    except ValueError:
        image = ''
    if exists(image):
        return image
    splits = ((mark, split_columns(line, mark)[:2]) for mark in SEPARATORS)
    ways = [split for mark, split in splits if fits(split, mark, is_path)]
    ways += [cut for cut in _cuts(line) if ' ' not in cut[1]]
    whole = quoted_columns(line, '\t') if line[:1] == line[-1:] == '"' else []
    there = [way[0] for way in [*ways, whole] if way and exists(way[0])]
    return max(there, key=len, default=None)


def split_columns(line: str, mark: str) -> list[str]:
    """The columns that a mark sets apart, with quotes as in CSV; none without the mark."""
    if mark not in line:
        return []
    if '"' in line:
        try:
            columns = quoted_columns(line, mark)
        except ValueError:
            return []
    else:
        columns = SEPARATORS[mark].split(line)
    if mark not in ',;':  # runs of tabs and blanks are one
        return [column for column in columns if column]
    while len(columns) > 2 and not columns[-1]:
        columns.pop()
    return columns


def quoted_columns(line: str, mark: str) -> list[str]:
    """The columns of a line of CSV; ``ValueError``: its quotes do not close."""
    if mark != ' ':
        line = re.sub(rf'"[ \t]+(?={mark})', '"', line)
    try:
        rows = list(csv.reader([line], delimiter=mark, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise ValueError(f'got quotes that cannot be read ({error})') from error
    return [column.strip() for column in rows[0]]


def fits(columns: Sequence[str], mark: str, is_name: Callable[[str], bool]) -> bool:
    """Whether columns are an image, a mask or a word for none, and perhaps a label.

    In CAT-Net's lists, the source of a forgery and the image as JPEG follow instead of a label.
    """
    if not 2 <= len(columns) <= MOST_COLUMNS or not is_name(columns[0]):
        return False
    if _is_out_of_place(columns):
        return False
    mask, *others = columns[1:]
    if not others:
        return is_name(mask) or mask.lower() in AUTHENTIC or is_label(mask)
    labelled = len(others) == 1 and others[0].lower() in LABELS
    are_files = mark != ' ' and all(is_path(each) or each.lower() in AUTHENTIC for each in others)
    return (labelled or are_files) and (is_name(mask) or mask.lower() in AUTHENTIC)


def is_label(column: str) -> bool:
    """Whether a column is a label and can be nothing else; the words for no mask can."""
    return column.lower() in LABELS and column.lower() not in AUTHENTIC


def _is_out_of_place(columns: Sequence[str]) -> bool:
    """Whether a number or label is where a name belongs, like an index, or a label before masks."""
    if len(columns) < 2:
        return False
    image, mask, *others = columns
    values = [NUMBER.fullmatch(each) is not None or is_label(each) for each in (image, mask)]
    if values[0] and is_path(mask):
        return True
    return values[1] and (bool(others) or (is_path(image) and not is_label(mask)))


def is_path(column: str) -> bool:
    """Whether a column ends like the name of an image or mask."""
    return osp.splitext(column)[1].lower() in SUFFIXES and '\t' not in column


def is_name(column: str) -> bool:
    """Whether a column may be any name."""
    return bool(column) and column[0] not in ',;' and column[-1] not in ',;'


def _cuts(line: str) -> Iterator[list[str]]:
    """All ways to cut a line in two or three at one kind of mark, names that hold it included."""
    for mark, pattern in SEPARATORS.items():
        spans = [match.span() for match in pattern.finditer(line)]
        if len(spans) > MOST_SEPARATORS:
            continue
        for cuts in chain(combinations(spans, 1), combinations(spans, 2)):
            ends = [0, *chain(*cuts), len(line)]
            columns = [line[a:b] for a, b in zip(ends[::2], ends[1::2], strict=True)]
            if fits(columns, mark, is_path) and (len(columns) < 3 or columns[2].lower() in LABELS):
                yield columns


def _all_exist(columns: Sequence[str], exists: Exists) -> bool:
    mask = columns[1] if len(columns) > 1 else ''
    return exists(columns[0]) and (mask.lower() in AUTHENTIC or is_label(mask) or exists(mask))
