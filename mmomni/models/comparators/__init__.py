"""Other models of the field, trained on the same data by the same recipe (docs/comparators.md).

Each is a backbone and a decode head for mmseg's stock ``EncoderDecoder``, in files of its own; what
they share stands beside them. The five planes are taken apart by
:class:`mmomni.models.backbones.FivePlanes`, or by ``mmomni.RGBPlanes`` around a backbone that sees
RGB alone.
"""

from .apsc_net import APSCHead
from .cat_net import CATNet
from .dtd import DTDEncoder, DTDHead
from .hifi_net import HiFiEncoder, HiFiHead
from .mvss_net import EdgeHead, MVSSEncoder, MVSSHead
from .trufor import TruForEncoder

__all__ = [
    'APSCHead',
    'CATNet',
    'DTDEncoder',
    'DTDHead',
    'EdgeHead',
    'HiFiEncoder',
    'HiFiHead',
    'MVSSEncoder',
    'MVSSHead',
    'TruForEncoder',
]
