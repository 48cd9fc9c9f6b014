from .convnext import ConvNeXt
from .convnext_swin import ConvNeXtSwin
from .efficientnet_lite import EfficientNetLite
from .frequency_planes import FrequencyPlanes
from .modal_gate_encoder import ModalGateEncoder
from .rgb_planes import RGBPlanes
from .timm_backbone import TimmBackbone

__all__ = [
    'ConvNeXt', 'ConvNeXtSwin', 'EfficientNetLite', 'FrequencyPlanes', 'ModalGateEncoder',
    'RGBPlanes', 'TimmBackbone',
]  # fmt: skip
