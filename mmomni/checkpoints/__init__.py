"""Checkpoints: published, read, converted, and what they say about themselves.

What reads weights is imported when it is asked for, because descriptions need neither torch nor
OpenMMLab.
"""

from typing import TYPE_CHECKING

from mmomni.utils.digests import DESCRIPTION
from mmomni.utils.lazy import imported_when_asked

from .description import Description, description_text, parse_description

if TYPE_CHECKING:
    from .averaging import average_files
    from .convnext import convert_convnext, convert_file, load_convnext
    from .fitting import build_fitting
    from .inference import build_model, inference_config
    from .loading import LoadReport, demand_fit, load_partly, load_weights
    from .publishing import publish
    from .reading import Checkpoint, read_checkpoint

__all__ = [
    'DESCRIPTION', 'Checkpoint', 'Description', 'LoadReport', 'average_files', 'build_fitting',
    'build_model', 'convert_convnext', 'convert_file', 'demand_fit', 'description_text',
    'inference_config', 'load_convnext', 'load_partly', 'load_weights', 'parse_description',
    'publish', 'read_checkpoint',
]  # fmt: skip
__getattr__ = imported_when_asked(__name__, {
    'Checkpoint': 'reading',
    'LoadReport': 'loading',
    'average_files': 'averaging',
    'build_fitting': 'fitting',
    'build_model': 'inference',
    'convert_convnext': 'convnext',
    'convert_file': 'convnext',
    'demand_fit': 'loading',
    'inference_config': 'inference',
    'load_convnext': 'convnext',
    'load_partly': 'loading',
    'load_weights': 'loading',
    'publish': 'publishing',
    'read_checkpoint': 'reading',
})  # fmt: skip
