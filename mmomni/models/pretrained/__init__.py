from .convnext_names import STEM, openmmlab_names
from .loading import LEVEL_NORMS, draw_or_load, inflate, load_pretrained, pretrained_part
from .sources import demand_start, demand_weights, load_from_package

__all__ = [
    'LEVEL_NORMS', 'STEM', 'demand_start', 'demand_weights', 'draw_or_load', 'inflate',
    'load_from_package', 'load_pretrained', 'openmmlab_names', 'pretrained_part',
]  # fmt: skip
