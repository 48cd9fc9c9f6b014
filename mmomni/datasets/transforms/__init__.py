from .boxes import MaskToBoxes
from .crop import AlignedRandomCrop, FreeRandomCrop
from .dct import ExtractDCT
from .formatting import PackManipulationInputs
from .host_names import InferencerLoader, LoadImageFromFile, LoadImageFromNDArray
from .jpeg import RandomJPEGCompress
from .jpeg_schedule import DocTamperJPEG
from .loading import LoadManipulationMask, LoadOriginalImage
from .local_history import RandomLocalHistory
from .local_sensor import RandomLocalSensor
from .mirror import MirrorBlocks
from .perturb import Perturb
from .random_paste import RandomPaste

__all__ = [
    'AlignedRandomCrop', 'DocTamperJPEG', 'ExtractDCT', 'FreeRandomCrop', 'InferencerLoader',
    'LoadImageFromFile', 'LoadImageFromNDArray', 'LoadManipulationMask', 'LoadOriginalImage',
    'MaskToBoxes', 'MirrorBlocks', 'PackManipulationInputs', 'Perturb', 'RandomJPEGCompress',
    'RandomLocalHistory', 'RandomLocalSensor', 'RandomPaste',
]  # fmt: skip
