"""Data sets: what their files and configs say, and the classes that are built of them.

The classes are imported when they are asked for, because those who read masks, list files or
configs need no torch, and of OpenMMLab nothing but mmengine's configs.
"""

from typing import TYPE_CHECKING

from mmomni.utils.lazy import imported_when_asked

if TYPE_CHECKING:
    from .doctamper import DocTamperDataset
    from .domain_balanced_sampler import DomainBalancedSampler
    from .lmdb_files import LMDBFiles
    from .manipulation import ManipulationDataset
    from .reproducible import ReproducibleConcatDataset, ReproducibleSampler

__all__ = [
    'DocTamperDataset', 'DomainBalancedSampler', 'LMDBFiles', 'ManipulationDataset',
    'ReproducibleConcatDataset', 'ReproducibleSampler',
]  # fmt: skip
__getattr__ = imported_when_asked(__name__, {
    'DocTamperDataset': 'doctamper',
    'DomainBalancedSampler': 'domain_balanced_sampler',
    'LMDBFiles': 'lmdb_files',
    'ManipulationDataset': 'manipulation',
    'ReproducibleConcatDataset': 'reproducible',
    'ReproducibleSampler': 'reproducible',
})  # fmt: skip
