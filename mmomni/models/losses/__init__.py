from .criteria import Criterion, losses_by_name
from .edge_cross_entropy import EdgeCrossEntropy, near_border
from .edges import edge_labels
from .gate import gate_label, tampered_iou
from .hard_pixels import HardPixelCrossEntropy
from .image_level_loss import ImageLevelLoss
from .region_loss import RegionLoss, tversky_losses
from .weighted_cross_entropy import WeightedCrossEntropy

__all__ = [
    'Criterion', 'EdgeCrossEntropy', 'HardPixelCrossEntropy', 'ImageLevelLoss', 'RegionLoss',
    'WeightedCrossEntropy', 'edge_labels', 'gate_label', 'losses_by_name', 'near_border',
    'tampered_iou', 'tversky_losses',
]  # fmt: skip
