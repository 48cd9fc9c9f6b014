"""Files inside of LMDB environments, as DocTamper is published."""

import os
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.fileio import register_backend
from mmengine.fileio.backends import BaseStorageBackend

PREFIX = 'lmdb://'
COUNT_KEY = 'num-samples'


@register_backend('mmomni.lmdb', prefixes='lmdb', force=True)
class LMDBFiles(BaseStorageBackend):
    """Files inside an LMDB environment, named ``lmdb://<folder of data.mdb>/<key>``.

    Everything that reads a path with :mod:`mmengine.fileio` can read these. Environments are
    opened on first use, read-only and without a lock file, once in each process: they survive
    neither a fork nor pickling, so workers open their own.
    """

    def get(self, filepath: str) -> bytes:
        """Raises ``FileNotFoundError`` for a missing environment or key."""
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
        (f'{PREFIX}{root}/image-{index:09d}', f'{PREFIX}{root}/label-{index:09d}')
        for index in range(count)
    ]


def lmdb_value(folder: str, key: str) -> bytes | None:
    """What an environment holds under a key; ``None``: nothing."""
    with _environment(os.path.realpath(folder)).begin() as transaction:
        return transaction.get(key.encode())


@cache
def _environment(folder: str) -> Any:
    try:
        import lmdb
    except ImportError as error:
        raise ImportError(
            f'reading {folder} needs the package lmdb: pip install mmomni[lmdb]'
        ) from error
    if not Path(folder, 'data.mdb').is_file():
        raise FileNotFoundError(
            f'expected an LMDB (data.mdb) in the folder {folder}, found none; data_root is one '
            'unpacked subset of DocTamper, for instance data/DocTamper/DocTamperV1-TrainingSet'
        )
    return lmdb.open(folder, readonly=True, lock=False, readahead=False, meminit=False)


if hasattr(os, 'register_at_fork'):  # a fork may neither use its parent's nor open it twice
    os.register_at_fork(after_in_child=_environment.cache_clear)
