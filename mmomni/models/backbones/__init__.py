from .convnext import ConvNeXt, ConvNeXtSwin
from .efficientnet_lite import EfficientNetLite
from .modal_gate_encoder import ModalGateEncoder
from .planes import FivePlanes, FrequencyPlanes, RGBPlanes
from .timm_backbone import TimmBackbone

__all__ = [
    'ConvNeXt', 'ConvNeXtSwin', 'EfficientNetLite', 'FivePlanes', 'FrequencyPlanes',
    'ModalGateEncoder', 'RGBPlanes', 'TimmBackbone',
]  # fmt: skip
