import os
from pathlib import Path
from typing import Any

from mmengine.fileio import register_backend
from mmengine.fileio.backends import BaseStorageBackend

from mmomni.registry import DATASETS

from .manipulation import ManipulationDataset

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
        value = _value(folder, key)
        if value is None:
            raise FileNotFoundError(f'no key {key!r} in the LMDB at {folder}')
        return value

    def get_text(self, filepath: str, encoding: str = 'utf-8') -> str:
        return self.get(filepath).decode(encoding)


_environments: dict[str, tuple[int, Any]] = {}
"""By folder: the process that opened the environment, and the environment."""


def _value(folder: str, key: str) -> bytes | None:
    with _environment(os.path.realpath(folder)).begin() as transaction:
        return transaction.get(key.encode())


def _environment(folder: str) -> Any:
    process, environment = _environments.get(folder, (None, None))
    if process != os.getpid():
        if environment is not None:
            environment.close()  # the parent's: a fork may neither use it nor open it twice
        environment = _open(folder)
        _environments[folder] = (os.getpid(), environment)
    return environment


def _open(folder: str) -> Any:
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


@DATASETS.register_module()
class DocTamperDataset(ManipulationDataset):
    """One subset of DocTamper in its published form, an LMDB.

    Keys: ``num-samples``, ``image-%09d`` (JPEG or PNG files), ``label-%09d`` (masks, 0 or 1),
    counted from 0. The bytes reach the pipeline as they are stored. Every sample carries its number
    as ``record_index``, by which :class:`mmomni.DocTamperJPEG` finds its quality factors.

    Needs ``pip install mmomni[lmdb]``.

    Args:
        data_root: Folder of ``data.mdb``, such as ``DocTamperV1-TrainingSet``.
        domain: Results are averaged within domains.
        **kwargs: Those of :class:`ManipulationDataset`, without list files and folders.

    Raises:
        FileNotFoundError: There is no LMDB in ``data_root``.
        ValueError: The LMDB does not say how many samples it has.
    """

    def __init__(self, data_root: str, domain: str = 'document', **kwargs: Any) -> None:
        if kwargs.get('ann_file'):
            raise ValueError('an LMDB lists its own samples: DocTamperDataset takes no ann_file')
        super().__init__(domain=domain, data_root=data_root, data_prefix={}, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry a sample, in the order of the keys."""
        samples = super().load_data_list()
        # by the key, because some may be held out
        return [
            dict(sample, record_index=int(sample['img_path'].rpartition('-')[2]))
            for sample in samples
        ]

    def _pairs_of_folders(self) -> list[tuple[str, str | None]]:
        count = _value(self.data_root, COUNT_KEY)
        if count is None:
            raise ValueError(
                f'{self.data_root}: expected the key {COUNT_KEY!r} of a DocTamper subset, found '
                'none; is this the LMDB of another dataset?'
            )
        root = f'{PREFIX}{self.data_root}'
        numbers = range(int(count))
        return [
            (f'{root}/image-{index:09d}', f'{root}/label-{index:09d}') for index in numbers
        ]
