from mmomni.models.pretrained.digests import DESCRIPTION

from .averaging import average_files
from .convnext import convert_convnext, convert_file, load_convnext
from .fitting import build_fitting
from .inference_config import build_model, inference_config
from .loading import LoadReport, demand_fit, load_partly, load_weights
from .publishing import description_text, publish
from .reading import Checkpoint, Description, parse_description, read_checkpoint

__all__ = [
    'DESCRIPTION', 'Checkpoint', 'Description', 'LoadReport', 'average_files', 'build_fitting',
    'build_model', 'convert_convnext', 'convert_file', 'demand_fit', 'description_text',
    'inference_config', 'load_convnext', 'load_partly', 'load_weights', 'parse_description',
    'publish', 'read_checkpoint',
]  # fmt: skip
