from .doctamper import DocTamperDataset, LMDBFiles
from .domain_balanced_sampler import DomainBalancedSampler
from .manipulation import ManipulationDataset
from .reproducible import ReproducibleConcatDataset, ReproducibleSampler

__all__ = [
    'DocTamperDataset',
    'DomainBalancedSampler',
    'LMDBFiles',
    'ManipulationDataset',
    'ReproducibleConcatDataset',
    'ReproducibleSampler',
]
