from .coordinates import add_coordinates
from .dynamic_filter import DynamicFilter
from .frequency_perception import FrequencyPerceptionHead
from .fusion import ScSE
from .modal_gate import ModalGate
from .query_attention import QueryAttention
from .stagewise import Stagewise

__all__ = [
    'DynamicFilter',
    'FrequencyPerceptionHead',
    'ModalGate',
    'QueryAttention',
    'ScSE',
    'Stagewise',
    'add_coordinates',
]
