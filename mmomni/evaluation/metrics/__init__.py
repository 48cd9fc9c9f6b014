from .gate_report import GateReport
from .image_level_metric import ImageLevelMetric
from .manipulation_metric import ManipulationMetric

__all__ = ['GateReport', 'ImageLevelMetric', 'ManipulationMetric']
