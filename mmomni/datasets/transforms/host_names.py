"""Our loader under the names by which mmseg's inferencers look for a loader, and replace it.

``MMSegInferencer`` looks for ``LoadImageFromFile`` and makes it ``InferencerLoader``;
``inference_model`` makes the first transform ``LoadImageFromNDArray`` where it gets an array. Both
change ``type`` alone: where the step of a config has ``_scope_='mmomni'``, these are found.
"""

from typing import Any

import numpy as np

from mmomni.registry import TRANSFORMS

from .loading import LoadOriginalImage


@TRANSFORMS.register_module()
class LoadImageFromFile(LoadOriginalImage):
    """What ``MMSegInferencer`` looks for."""


@TRANSFORMS.register_module()
class LoadImageFromNDArray(LoadOriginalImage):
    """What ``inference_model`` puts in the place of the first transform, and leaves there."""


@TRANSFORMS.register_module()
class InferencerLoader(LoadOriginalImage):
    """What ``MMSegInferencer`` puts in the place of the loader; takes a path or an array, too."""

    def transform(self, results: Any) -> dict:
        """Raises ``TypeError`` for what is neither."""
        if isinstance(results, np.ndarray):
            results = dict(img=results)
        elif not isinstance(results, dict):
            results = dict(img_path=results)
        return super().transform(results)
