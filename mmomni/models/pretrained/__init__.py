from .convnext_names import openmmlab_names
from .loading import inflate, load_pretrained, pretrained_part
from .packages import load_from_package

__all__ = [
    'inflate',
    'load_from_package',
    'load_pretrained',
    'openmmlab_names',
    'pretrained_part',
]
