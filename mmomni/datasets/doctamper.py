from typing import Any

from mmomni.registry import DATASETS

from .lmdb_files import record_pairs, sample_count
from .manipulation import ManipulationDataset


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
        OSError: The LMDB is cut or broken.
        ValueError: It does not say how many samples it has, or more than it has.
    """

    def __init__(self, data_root: str, domain: str = 'document', **kwargs: Any) -> None:
        if kwargs.get('ann_file'):
            raise ValueError('an LMDB lists its own samples: DocTamperDataset takes no ann_file')
        for key in ('data_prefix', 'img_suffix', 'seg_map_suffix'):
            if kwargs.pop(key, None):
                raise ValueError(f'an LMDB has no folders: DocTamperDataset takes no {key}')
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
        return [*record_pairs(self.data_root, sample_count(self.data_root))]
