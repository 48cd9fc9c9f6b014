from .auxiliary_heads import BoxSupervisionHead, ModalGateHead
from .backbones import ConvNeXt, ConvNeXtSwin, EfficientNetLite, ModalGateEncoder, RGBPlanes
from .decode_heads import DynamicWeightDecoder
from .losses import RegionLoss, WeightedCrossEntropy
from .necks import AnomalyEnhancement
from .weight_packages import load_from_package

__all__ = [
    'AnomalyEnhancement',
    'BoxSupervisionHead',
    'ConvNeXt',
    'ConvNeXtSwin',
    'DynamicWeightDecoder',
    'EfficientNetLite',
    'ModalGateEncoder',
    'ModalGateHead',
    'RGBPlanes',
    'RegionLoss',
    'WeightedCrossEntropy',
    'load_from_package',
]
