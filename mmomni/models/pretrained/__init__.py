from .convnext_names import STEM, openmmlab_names
from .demands import demand_start, demand_weights
from .loading import LEVEL_NORMS, inflate, load_pretrained, pretrained_part
from .packages import load_from_package

__all__ = [
    'LEVEL_NORMS', 'STEM', 'demand_start', 'demand_weights', 'inflate', 'load_from_package',
    'load_pretrained', 'openmmlab_names', 'pretrained_part',
]  # fmt: skip
