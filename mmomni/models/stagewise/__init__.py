from .adapters import (
    ConvNeXtStages,
    EfficientNetLiteStages,
    MixVisionStages,
    ResNetStages,
    SwinStages,
    TimmStages,
)
from .protocol import STRIDES, Stagewise, adapted_types, adapts, build_stagewise

__all__ = [
    'STRIDES', 'ConvNeXtStages', 'EfficientNetLiteStages', 'MixVisionStages', 'ResNetStages',
    'Stagewise', 'SwinStages', 'TimmStages', 'adapted_types', 'adapts', 'build_stagewise',
]  # fmt: skip
