"""Predict images.

Names are imported when they are asked for. Of them, the inferencer alone needs torch and OpenMMLab.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .inferencer import ManipulationInferencer
    from .network import Network, Output, Sharing
    from .predictor import Predictor, open_predictor
    from .results import Failure, GateChoice, Prediction, Region

__all__ = [
    'Failure', 'GateChoice', 'ManipulationInferencer', 'Network', 'Output', 'Prediction',
    'Predictor', 'Region', 'Sharing', 'open_predictor',
]  # fmt: skip
HOMES = {
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
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{HOMES[name]}'), name)
