from .manipulation_metric import ManipulationMetric

__all__ = ['ManipulationMetric']
