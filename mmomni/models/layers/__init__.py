from .concat_conv import ConcatConv
from .coordinates import Coordinates, add_coordinates
from .dynamic_filter import DynamicFilter
from .frequency_perception import FrequencyPerceptionHead
from .fusion import ScSE
from .high_pass import HighPass
from .modal_gate import ModalGate
from .query_attention import Gathering, QueryAttention

__all__ = [
    'ConcatConv', 'Coordinates', 'DynamicFilter', 'FrequencyPerceptionHead', 'Gathering',
    'HighPass', 'ModalGate', 'QueryAttention', 'ScSE', 'add_coordinates',
]  # fmt: skip
