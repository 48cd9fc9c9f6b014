"""Pixel-level scores as pure functions of torch tensors.

For one image: ``I`` pixels both predicted and really tampered, ``P`` predicted, ``G`` really
tampered, ``U`` their union.
"""

from typing import NamedTuple

from torch import Tensor


class PixelCounts(NamedTuple):
    """``I``, ``P``, ``G``, ``U`` of one image, in pixels."""

    intersection: int
    predicted: int
    tampered: int
    union: int


def pixel_counts(prediction: Tensor, target: Tensor, ignore_index: int = 255) -> PixelCounts:
    """Count agreeing pixels of one image.

    Args:
        prediction: (H, W), non-zero = predicted as tampered.
        target: (H, W), 1 = tampered, 0 = authentic.
        ignore_index: Value of ``target`` whose pixels are not counted.

    Raises:
        ValueError: The two differ in size.
    """
    if prediction.shape != target.shape:
        raise ValueError(
            f'prediction and target must have one size, got {tuple(prediction.shape)} and '
            f'{tuple(target.shape)}; predictions are scored at the original size of the image'
        )
    predicted = (prediction != 0) & (target != ignore_index)
    tampered = target == 1
    intersection = int((predicted & tampered).sum())
    p, g = int(predicted.sum()), int(tampered.sum())
    return PixelCounts(intersection, p, g, p + g - intersection)


def per_image_scores(counts: PixelCounts) -> dict[str, float]:
    """Protocol ``per_image`` (the paper's, as APSC-Net's code computes it).

    ``IoU = I / (U + 1e-6)``, ``p = I / (P + 1e-6)``, ``r = I / (G + 1e-6)``,
    ``F1 = 2 p r / (p + r + 1e-8)``. An image without tampered pixels scores 0 whatever is
    predicted.
    """
    intersection, predicted, tampered, union = counts
    precision = intersection / (predicted + 1e-6)
    recall = intersection / (tampered + 1e-6)
    return {
        'IoU': intersection / (union + 1e-6),
        'F1': 2 * precision * recall / (precision + recall + 1e-8),
        'precision': precision,
        'recall': recall,
    }
