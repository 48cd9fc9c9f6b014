from .adding import losses_by_name
from .region_loss import RegionLoss, tversky_losses
from .weighted_cross_entropy import WeightedCrossEntropy

__all__ = ['RegionLoss', 'WeightedCrossEntropy', 'losses_by_name', 'tversky_losses']
