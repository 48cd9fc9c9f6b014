from .criteria import losses_by_name
from .edge_cross_entropy import EdgeCrossEntropy, near_border
from .gate import gate_label, tampered_iou
from .hard_pixels import HardPixelCrossEntropy
from .region_loss import RegionLoss, tversky_losses
from .weighted_cross_entropy import WeightedCrossEntropy

__all__ = [
    'EdgeCrossEntropy', 'HardPixelCrossEntropy', 'RegionLoss', 'WeightedCrossEntropy',
    'gate_label', 'losses_by_name', 'near_border', 'tampered_iou', 'tversky_losses',
]  # fmt: skip
