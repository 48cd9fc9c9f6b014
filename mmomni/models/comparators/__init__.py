"""Other models of the field, trained on the same data by the same recipe (docs/comparators.md).

Each is a backbone and a decode head for mmseg's stock ``EncoderDecoder``, in files of its own; what
they share stands beside them. The five planes are taken apart by
:class:`mmomni.models.backbones.FivePlanes`, or by ``mmomni.RGBPlanes`` around a backbone that sees
RGB alone.
"""

from .apsc_net import APSCHead
from .evp import ExplicitVisualPrompting
from .iml_vit import SimpleFeaturePyramid, WindowedViT
from .mesorch import MesorchEncoder, MesorchHead
from .tifdm import TIFDMHead

__all__ = [
    'APSCHead',
    'ExplicitVisualPrompting',
    'MesorchEncoder',
    'MesorchHead',
    'SimpleFeaturePyramid',
    'TIFDMHead',
    'WindowedViT',
]
