from .convnext import ConvNeXt
from .convnext_swin import ConvNeXtSwin
from .efficientnet_lite import EfficientNetLite
from .modal_gate_encoder import ModalGateEncoder
from .rgb_planes import RGBPlanes
from .timm_backbone import TimmBackbone

__all__ = [
    'ConvNeXt',
    'ConvNeXtSwin',
    'EfficientNetLite',
    'ModalGateEncoder',
    'RGBPlanes',
    'TimmBackbone',
]
