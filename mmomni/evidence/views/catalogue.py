from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .compression import error_level_analysis, jpeg_ghosts
from .copy_move import copy_move_matches
from .noise import noise_residual


class View(NamedTuple):
    """One picture of an image.

    Attributes:
        function: From RGB as stored, ``uint8`` (H, W, 3), to a picture of that size and
            kind, turned by its keyword ``orientation``.
        title: A few words.
        explanation: What it shows and what it cannot, in one sentence.
    """

    function: Callable[..., np.ndarray]
    title: str
    explanation: str


VIEWS = {
    'ela': View(
        error_level_analysis,
        'Error levels',
        'How much each pixel changes when the image is saved once more as JPEG: parts that are '
        'brighter or darker than similar ones may have another history, but edges, texture and '
        'strong colours are bright in any image.',
    ),
    'noise': View(
        noise_residual,
        'Noise',
        'What a median filter takes away: parts that are smoother or rougher than similar ones '
        'may come from elsewhere, but fine texture is bright, and sky, blur and shadow are dark '
        'in any image.',
    ),
    'ghosts': View(
        jpeg_ghosts,
        'JPEG ghosts',
        'Where the image changes less at one JPEG quality than at its neighbours (dark), because '
        'it was once saved at it: a compact part unlike all around it was saved otherwise before, '
        'but one that was pasted off the grid of blocks is not seen, and smooth or white parts '
        'mislead.',
    ),
    'copy-move': View(
        copy_move_matches,
        'Copies inside of the image',
        'Lines join places that are alike up to a shift, turn and scale: one may be a copy of '
        'the other, but repeated things (windows, tiles, print) are found, too, and smooth or '
        'mirrored copies are not.',
    ),
}
"""By the names of ``mmomni predict --views``."""
