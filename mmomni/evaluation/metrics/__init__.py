from .gate_report import GateReport
from .image_level_metric import ImageLevelMetric
from .manipulation_metric import ManipulationMetric
from .selection_metric import SelectionMetric

__all__ = ['GateReport', 'ImageLevelMetric', 'ManipulationMetric', 'SelectionMetric']
