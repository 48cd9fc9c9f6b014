"""Files inside of LMDB environments, as DocTamper is published."""

import logging
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from mmengine.fileio import register_backend
from mmengine.fileio.backends import BaseStorageBackend
from mmengine.logging import print_log

from mmomni.utils.regular_files import open_regular

PREFIX = 'lmdb://'
COUNT_KEY = 'num-samples'
IMAGE, MASK = 'image-', 'label-'

_POINTER = struct.calcsize('P')
_META = struct.Struct(
    f'={8 + _POINTER}x2I{2 * _POINTER}xI{12 + 10 * _POINTER}x2{"Q" if _POINTER == 8 else "I"}'
)
"""Of liblmdb's ``MDB_meta`` behind the header of its page: ``mm_magic``, ``mm_version``,
``mm_psize``, ``mm_last_pg``, ``mm_txnid``."""
_MAGIC = 0xBEEFC0DE
_PAGE_SIZES = frozenset(1 << bits for bits in range(8, 17))


class DatabaseError(OSError):
    """An LMDB of which a part is gone: no bad file among others, but the end of a run."""


@register_backend('mmomni.lmdb', prefixes='lmdb', force=True)
class LMDBFiles(BaseStorageBackend):
    """Files inside an LMDB environment, named ``lmdb://<folder of data.mdb>/<key>``.

    Everything that reads a path with :mod:`mmengine.fileio` can read these. Environments are
    opened on first use, read-only and without a lock file, once in each process: they survive
    neither a fork nor pickling, so workers open their own.
    """

    def get(self, filepath: str) -> bytes:
        """Raises ``FileNotFoundError`` for a missing environment or key, ``OSError`` if broken."""
        folder, key = str(filepath)[len(PREFIX) :].rsplit('/', 1)
        value = lmdb_value(folder, key)
        if value is None:
            raise FileNotFoundError(f'no key {key!r} in the LMDB at {folder}')
        return value

    def get_text(self, filepath: str, encoding: str = 'utf-8') -> str:
        return self.get(filepath).decode(encoding)


def record_pairs(root: str, count: int) -> list[tuple[str, str]]:
    """Paths of image and mask of each of the ``count`` records of a subset in ``root``."""
    return [
        (f'{PREFIX}{root}/{IMAGE}{index:09d}', f'{PREFIX}{root}/{MASK}{index:09d}')
        for index in range(count)
    ]


def sample_count(root: str) -> int:
    """The number of samples that a subset of DocTamper says it has, and has.

    What it has beyond that number is named in the log.

    Raises:
        FileNotFoundError: There is no LMDB in ``root``.
        OSError: It is cut or broken.
        ValueError: It says no number, none above 0, or a larger one than that of its records.
    """
    value = lmdb_value(root, COUNT_KEY)
    if value is None:
        raise ValueError(
            f'{root}: expected the key {COUNT_KEY!r} of a DocTamper subset, found none; is this '
            'the LMDB of another dataset?'
        )
    try:
        count = int(value)
    except ValueError:
        count = 0
    if count < 1:
        raise ValueError(
            f'{root}: expected a number of samples above 0 under the key {COUNT_KEY!r}, got '
            f'{value[:40]!r}; copy or unpack it again'
        )
    records = _records_of(root)
    if count > records:
        raise ValueError(
            f'{root}: expected at most {records:,} samples, which its keys image-... and '
            f'label-... count up to, but {COUNT_KEY!r} says {count:,}; copy or unpack it again, or '
            'correct that number'
        )
    if count < records:
        print_log(
            f'{root}: {records - count:,} samples are left out, because {COUNT_KEY!r} says '
            f'{count:,} of {records:,}',
            logger='current',
            level=logging.WARNING,
        )
    return count


def _records_of(root: str) -> int:
    """One more than the highest number among the keys of images and masks."""
    with _reading(root) as transaction, transaction.cursor() as cursor:
        return 1 + max(_highest(cursor, kind.encode()) for kind in (IMAGE, MASK))


def _highest(cursor: Any, kind: bytes) -> int:
    """The highest number among the keys of one kind; -1: there is no such key."""
    behind = kind + b':'  # what comes next to the digits
    found = cursor.prev() if cursor.set_range(behind) else cursor.last()
    while found and cursor.key().startswith(kind):
        if number := re.fullmatch(rb'\d{9}', cursor.key().removeprefix(kind)):
            return int(number[0])
        found = cursor.prev()
    return -1


def lmdb_value(folder: str, key: str) -> bytes | None:
    """What an environment holds under a key; ``None``: nothing.

    Raises:
        FileNotFoundError: There is none.
        OSError: It is cut or broken.
    """
    with _reading(folder) as transaction:
        return transaction.get(key.encode())


@contextmanager
def _reading(folder: str) -> Iterator[Any]:
    """A transaction; what liblmdb says of a broken file is an error of the system."""
    lmdb = _imported(folder)
    try:
        opened = _opened(os.path.realpath(folder))
        opened.demand_whole()
        with opened.environment.begin() as transaction:
            yield transaction
    except lmdb.Error as error:
        raise OSError(
            f'{folder}: expected an LMDB that can be read, got {type(error).__name__} ({error}); '
            'copy or unpack it again'
        ) from error


class _Opened(NamedTuple):
    """An environment, and the file that it has mapped into memory."""

    environment: Any
    file: BinaryIO
    size: int
    """Bytes that the file needs to have."""

    def demand_whole(self) -> None:
        """Raises ``DatabaseError`` where the file was cut since; its pages would be a SIGBUS."""
        if (size := os.fstat(self.file.fileno()).st_size) < self.size:
            raise DatabaseError(_is_cut(Path(self.file.name), self.size, size))


@cache
def _opened(folder: str) -> _Opened:
    lmdb = _imported(folder)
    file = Path(folder, 'data.mdb')
    if not file.is_file():
        raise FileNotFoundError(
            f'expected an LMDB (data.mdb) in the folder {folder}, found none; data_root is one '
            'unpacked subset of DocTamper, for instance data/DocTamper/DocTamperV1-TrainingSet'
        )
    size = _check_whole(file)
    environment = lmdb.open(folder, readonly=True, lock=False, readahead=False, meminit=False)
    return _Opened(environment, file.open('rb'), size)


def _imported(folder: str) -> Any:
    try:
        import lmdb
    except ImportError as error:
        raise ImportError(
            f'reading {folder} needs the package lmdb: pip install mmomni[lmdb]'
        ) from error
    return lmdb


# ---- whether all of the file is there ----------------------------------------------------------


class _Meta(NamedTuple):
    """What one of the two pages at the start of ``data.mdb`` says about all others."""

    magic: int
    version: int
    page_size: int
    last_page: int
    transaction: int


def check_database(folder: str) -> None:
    """Raises ``OSError`` for an LMDB that is not there or not whole; none is opened."""
    _check_whole(Path(folder, 'data.mdb'))


def _check_whole(path: Path) -> int:
    """The bytes that an LMDB needs to have.

    Raises ``DatabaseError`` if pages are missing at the end, which would end the process: the file
    is mapped into memory, where touching a page behind its end is a SIGBUS.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        first = _meta_at(file, 0)
        second = first and _meta_at(file, first.page_size)
    if first is None or second is None:
        raise DatabaseError(
            f'{path}: expected an LMDB, got {size:,} bytes that do not begin as those of one do '
            'on this kind of machine; copy or unpack it again'
        )
    newer = max(first, second, key=lambda meta: meta.transaction)
    expected = (newer.last_page + 1) * newer.page_size
    if size < expected:
        raise DatabaseError(_is_cut(path, expected, size))
    return expected


def _is_cut(path: Path, expected: int, size: int) -> str:
    return (
        f'{path}: expected {expected:,} bytes, by what the file says of itself, got {size:,}: it '
        'is cut; copy or unpack it again (one that its writer left so short, `mdb_copy -c` '
        'rewrites)'
    )


def _meta_at(file: BinaryIO, position: int) -> _Meta | None:
    file.seek(position)
    data = file.read(_META.size)
    if len(data) < _META.size:
        return None
    meta = _Meta(*_META.unpack(data))
    return meta if meta.magic == _MAGIC and meta.page_size in _PAGE_SIZES else None


if hasattr(os, 'register_at_fork'):  # a fork may neither use its parent's nor open it twice
    os.register_at_fork(after_in_child=_opened.cache_clear)
