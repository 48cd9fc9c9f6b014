from .auxiliary_heads import BoxSupervisionHead, ModalGateHead
from .backbones import ConvNeXt, ModalGateEncoder
from .decode_heads import DynamicWeightDecoder
from .necks import AnomalyEnhancement

__all__ = [
    'AnomalyEnhancement',
    'BoxSupervisionHead',
    'ConvNeXt',
    'DynamicWeightDecoder',
    'ModalGateEncoder',
    'ModalGateHead',
]
