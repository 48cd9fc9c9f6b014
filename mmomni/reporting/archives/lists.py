"""The files of an archive, from lists and from Parquet."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmomni.apis.lists import LIST_SUFFIXES, NOT_A_LIST, Listed, listed_paths, located
from mmomni.datasets.list_rows import is_image_column
from mmomni.reporting.image_files import ImageFile, real_path
from mmomni.utils.files import file_sha256

from .extra import imported

PARQUET = '.parquet'
EXPECTED = f'a list of images ({", ".join(LIST_SUFFIXES)}), or Parquet with a column of paths'


def listed_files(
    inputs: Sequence[str | Path], column: str | None = None
) -> tuple[list[ImageFile], int]:
    """All files that lists name, each once, and how many names were repetitions.

    What a list names is taken as it is: folders are not opened up, and nothing is opened at all.

    Args:
        inputs: Lists as ``mmomni predict`` reads them, or ``.parquet``: a file, or a folder of
            such. Relative paths are relative to the list's folder, or else to the working
            directory.
        column: Of Parquet; default: the only one that is called like one of images.

    Raises:
        OSError: A list cannot be read.
        ValueError: It is none, or names no file that exists.
    """
    found: dict[Path, ImageFile] = {}
    number = 0
    for item in inputs:
        for path, root in _listed(Path(item), column):
            number += 1
            real = real_path(path)
            found.setdefault(real, ImageFile(real, path.relative_to(root)))
    return list(found.values()), number - len(found)


def digests(inputs: Sequence[str | Path]) -> list[str]:
    """SHA-256 of each list; of a folder of Parquet, of each file in it.

    Raises:
        OSError: One cannot be read; all that do not exist are named.
    """
    if missing := [str(item) for item in inputs if not os.path.exists(item)]:
        exist = 'do not exist' if len(missing) > 1 else 'does not exist'
        raise FileNotFoundError(f'expected {EXPECTED}, {", ".join(missing)} {exist}')
    return [file_sha256(file) for item in inputs for file in _files_of(Path(item))]


def _files_of(item: Path) -> list[Path]:
    """Itself, or the Parquet in a folder."""
    return sorted(item.glob(f'*{PARQUET}')) if item.is_dir() else [item]


def _listed(item: Path, column: str | None) -> list[Listed]:
    if any(file.suffix.lower() == PARQUET for file in _files_of(item)):
        return list(_listed_in_parquet(item, column))
    if not item.exists():
        raise FileNotFoundError(f'expected {EXPECTED}, {item} does not exist')
    if item.is_dir() or item.suffix.lower() not in LIST_SUFFIXES:
        raise ValueError(f'expected {EXPECTED}, got {item}; find FOLDER -type f > list.txt')
    if column is not None:
        raise ValueError(f'--column is of Parquet, but {item} is a list of text; leave it out')
    found = listed_paths(item)
    if not found:
        raise ValueError(f'{item}: {NOT_A_LIST}')
    return found


def _listed_in_parquet(item: Path, column: str | None) -> Iterator[Listed]:
    dataset, arrow = imported('pyarrow.dataset'), imported('pyarrow')
    try:
        source = dataset.dataset(_files_of(item), format='parquet')
        name = _column_of(item, source.schema, column)
        values = source.to_table(columns=[name])[name]
    except (arrow.ArrowInvalid, FileNotFoundError) as error:
        first = str(error).partition('\n')[0]
        raise ValueError(f'{item}: expected Parquet with a column of paths, got {first}') from error
    if values.null_count:
        raise ValueError(
            f'{item}: expected a path in each row, column {name!r} is null in {values.null_count:,}'
            ' of them; leave these rows out'
        )
    roots = [item if item.is_dir() else item.parent, Path()]
    for value in values.to_pylist():
        yield located(os.fsdecode(value), roots)


def _column_of(item: Path, schema: Any, column: str | None) -> str:
    """The column of paths."""
    types = imported('pyarrow').types
    texts = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    named = [each.name for each in schema if any(is_text(each.type) for is_text in texts)]
    if column is not None:
        if column not in named:
            raise ValueError(f'{item}: expected a column of text {column!r}, got {schema.names}')
        return column
    found = [name for name in named if is_image_column(name)]
    if len(found) != 1:
        raise ValueError(
            f'{item}: expected one column of paths, got {found or schema.names}; name it with '
            '--column'
        )
    return found[0]
