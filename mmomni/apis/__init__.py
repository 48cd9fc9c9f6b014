"""Predict images.

Names are imported when they are asked for. Of them, the inferencer alone needs torch and OpenMMLab.
"""

from typing import TYPE_CHECKING

from mmomni.utils.lazy import imported_when_asked

if TYPE_CHECKING:
    from .inferencer import ManipulationInferencer
    from .network import Network, Output, Sharing
    from .predictor import Predictor, open_predictor
    from .results import Failure, GateChoice, Prediction, Region

__all__ = [
    'Failure', 'GateChoice', 'ManipulationInferencer', 'Network', 'Output', 'Prediction',
    'Predictor', 'Region', 'Sharing', 'open_predictor',
]  # fmt: skip
__getattr__ = imported_when_asked(__name__, {
    'Failure': 'results',
    'GateChoice': 'results',
    'ManipulationInferencer': 'inferencer',
    'Network': 'network',
    'Output': 'network',
    'Prediction': 'results',
    'Predictor': 'predictor',
    'Region': 'results',
    'Sharing': 'network',
    'open_predictor': 'predictor',
})  # fmt: skip
