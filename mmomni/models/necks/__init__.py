from .anomaly_enhancement import AnomalyEnhancement

__all__ = ['AnomalyEnhancement']
