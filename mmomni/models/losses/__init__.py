from .region_loss import RegionLoss, tversky_losses
from .weighted_cross_entropy import WeightedCrossEntropy

__all__ = ['RegionLoss', 'WeightedCrossEntropy', 'tversky_losses']
