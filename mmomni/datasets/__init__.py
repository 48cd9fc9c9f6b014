from .manipulation import ManipulationDataset
from .reproducible import ReproducibleConcatDataset, ReproducibleSampler

__all__ = ['ManipulationDataset', 'ReproducibleConcatDataset', 'ReproducibleSampler']
