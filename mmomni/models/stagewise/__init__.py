from .adapters import (
    ConvNeXtStages,
    EfficientNetLiteStages,
    ResNetStages,
    SwinStages,
    TimmStages,
)
from .protocol import Stagewise, adapted_types, adapts, build_stagewise

__all__ = [
    'ConvNeXtStages',
    'EfficientNetLiteStages',
    'ResNetStages',
    'Stagewise',
    'SwinStages',
    'TimmStages',
    'adapted_types',
    'adapts',
    'build_stagewise',
]
