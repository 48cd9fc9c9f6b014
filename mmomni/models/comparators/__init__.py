from .hifi_net import HiFiEncoder, HiFiHead
from .mvss_net import EdgeHead, MVSSEncoder, MVSSHead
from .trufor import TruForEncoder

__all__ = ['EdgeHead', 'HiFiEncoder', 'HiFiHead', 'MVSSEncoder', 'MVSSHead', 'TruForEncoder']
