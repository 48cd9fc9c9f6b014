from .inferencer import ManipulationInferencer
from .results import Failure, GateChoice, Prediction, Region

__all__ = ['Failure', 'GateChoice', 'ManipulationInferencer', 'Prediction', 'Region']
