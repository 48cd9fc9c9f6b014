from .auxiliary_heads import BoxSupervisionHead, ModalGateHead
from .backbones import ConvNeXt, ConvNeXtSwin, ModalGateEncoder, RGBPlanes
from .decode_heads import DynamicWeightDecoder
from .losses import RegionLoss, WeightedCrossEntropy
from .necks import AnomalyEnhancement

__all__ = [
    'AnomalyEnhancement',
    'BoxSupervisionHead',
    'ConvNeXt',
    'ConvNeXtSwin',
    'DynamicWeightDecoder',
    'ModalGateEncoder',
    'ModalGateHead',
    'RGBPlanes',
    'RegionLoss',
    'WeightedCrossEntropy',
]
