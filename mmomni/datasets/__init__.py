"""Data sets: what their files and configs say, and the classes that are built of them.

The classes are imported when they are asked for, because those who read masks, list files or
configs need no torch, and of OpenMMLab nothing but mmengine's configs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
HOMES = {
    'DocTamperDataset': 'doctamper',
    'DomainBalancedSampler': 'domain_balanced_sampler',
    'LMDBFiles': 'lmdb_files',
    'ManipulationDataset': 'manipulation',
    'ReproducibleConcatDataset': 'reproducible',
    'ReproducibleSampler': 'reproducible',
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{HOMES[name]}'), name)
