from .criteria import losses_by_name
from .gate import gate_label, tampered_iou
from .hard_pixels import HardPixelCrossEntropy
from .region_loss import RegionLoss, tversky_losses
from .weighted_cross_entropy import WeightedCrossEntropy

__all__ = [
    'HardPixelCrossEntropy', 'RegionLoss', 'WeightedCrossEntropy', 'gate_label', 'losses_by_name',
    'tampered_iou', 'tversky_losses',
]  # fmt: skip
