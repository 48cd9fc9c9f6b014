"""Second opinions on an image, without a network: pictures that analysts know from other tools."""

from .catalogue import VIEWS, View
from .compression import error_level_analysis, jpeg_ghosts
from .copy_move import copy_move_matches
from .noise import noise_residual

__all__ = [
    'VIEWS', 'View', 'copy_move_matches', 'error_level_analysis', 'jpeg_ghosts', 'noise_residual',
]  # fmt: skip
