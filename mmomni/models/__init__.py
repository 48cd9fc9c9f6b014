from .auxiliary_heads import BoxSupervisionHead, ModalGateHead
from .backbones import (
    ConvNeXt,
    ConvNeXtSwin,
    EfficientNetLite,
    FrequencyPlanes,
    ModalGateEncoder,
    RGBPlanes,
    TimmBackbone,
)
from .decode_heads import DynamicWeightDecoder
from .losses import (
    EdgeCrossEntropy,
    HardPixelCrossEntropy,
    ImageLevelLoss,
    RegionLoss,
    WeightedCrossEntropy,
)
from .necks import AnomalyEnhancement
from .test_time import ManipulationTTAModel

__all__ = [
    'AnomalyEnhancement', 'BoxSupervisionHead', 'ConvNeXt', 'ConvNeXtSwin', 'DynamicWeightDecoder',
    'EdgeCrossEntropy', 'EfficientNetLite', 'FrequencyPlanes', 'HardPixelCrossEntropy',
    'ImageLevelLoss', 'ManipulationTTAModel', 'ModalGateEncoder',
    'ModalGateHead', 'RGBPlanes', 'RegionLoss', 'TimmBackbone', 'WeightedCrossEntropy',
]  # fmt: skip
