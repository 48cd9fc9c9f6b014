from .curves import (
    Panel,
    draw_area_plot,
    draw_reliability,
    draw_robustness,
    draw_score_curves,
    running_median,
)
from .gallery import GalleryRow, draw_gallery, overlay, shrink
from .maps import heat_levels, heat_map, heat_palette, outline_regions, shrunk

__all__ = [
    'GalleryRow', 'Panel', 'draw_area_plot', 'draw_gallery', 'draw_reliability',
    'draw_robustness', 'draw_score_curves', 'heat_levels', 'heat_map', 'heat_palette',
    'outline_regions', 'overlay', 'running_median', 'shrink', 'shrunk',
]  # fmt: skip
