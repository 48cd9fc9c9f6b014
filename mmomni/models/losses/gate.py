"""Which coarse prediction is the better one (paper, section 3.1)?"""

import torch
from torch import Tensor

IGNORE_INDEX = 255


def tampered_iou(logits: Tensor, labels: Tensor) -> Tensor:
    """IoU of the tampered class, per sample; 1 where both prediction and label are empty.

    Logits (B, 2, H, W), of which the larger class counts, and labels (B, H, W) of 1 tampered,
    0 authentic, 255 neither -> (B,) in [0, 1].
    """
    predicted = (logits[:, 1] > logits[:, 0]) & (labels != IGNORE_INDEX)
    tampered = labels == 1
    intersection = (predicted & tampered).sum(dim=(1, 2))
    union = (predicted | tampered).sum(dim=(1, 2))
    return torch.where(union == 0, 1.0, intersection / union.clamp(min=1))


def gate_label(p_rgb: Tensor, p_fused: Tensor, labels: Tensor, margin: float = 0.1) -> Tensor:
    """``L_c`` (B,): 1 (vision) where ``IoU(P_rgb, L) > IoU(P_fused, L) + margin``, else 0.

    NaN for samples without a tampered pixel, of which the paper says nothing (ours). They say
    nothing about the modality: any IoU is 1 or 0 there, and a single false pixel would decide.
    """
    label = (tampered_iou(p_rgb, labels) > tampered_iou(p_fused, labels) + margin).float()
    return label.masked_fill(~(labels == 1).flatten(1).any(dim=1), torch.nan)
