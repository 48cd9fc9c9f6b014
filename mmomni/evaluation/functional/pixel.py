"""What is counted in one image: which pixels agree, and which are scored at all.

For one image: ``I`` pixels both predicted and really tampered, ``P`` predicted, ``G`` really
tampered, ``U`` their union, ``N`` all that are scored. A ``target`` is (H, W), 1 = tampered,
0 = authentic, ``ignore_index`` = not counted.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class PixelCounts(NamedTuple):
    """``I``, ``P``, ``G`` and ``N`` of one image, or their sums over several, in pixels."""

    intersection: int
    predicted: int
    tampered: int
    scored: int

    @property
    def union(self) -> int:
        """``U``."""
        return self.predicted + self.tampered - self.intersection

    def inverted(self) -> 'PixelCounts':
        """The counts of the inverse prediction."""
        intersection, predicted, tampered, scored = self
        return PixelCounts(tampered - intersection, scored - predicted, tampered, scored)

    def of_authentic(self) -> 'PixelCounts':
        """The counts with the two classes exchanged."""
        _, predicted, tampered, scored = self
        return PixelCounts(scored - self.union, scored - predicted, scored - tampered, scored)


def check_sizes(prediction: Tensor, target: Tensor) -> None:
    """Raise ``ValueError`` if a map and its ground truth differ in size."""
    if prediction.shape != target.shape:
        raise ValueError(
            f'prediction and target must have one size, got {tuple(prediction.shape)} and '
            f'{tuple(target.shape)}; mmseg resizes predictions to the original size of the image '
            '(ori_shape), so the mask must have that size too'
        )


def count_true(*masks: Tensor) -> list[int]:
    """How much of each mask is true; together, for which a device is waited for once."""
    return torch.stack([mask.sum() for mask in masks]).tolist()


def pixel_counts(prediction: Tensor, target: Tensor, ignore_index: int = 255) -> PixelCounts:
    """Count agreeing pixels of one image; ``prediction`` (H, W) is non-zero where it is tampered.

    Raises:
        ValueError: Prediction and target differ in size.
    """
    check_sizes(prediction, target)
    valid = target != ignore_index
    predicted = (prediction != 0) & valid
    tampered = (target == 1) & valid
    masks = (predicted & tampered, predicted, tampered, valid)
    return PixelCounts(*count_true(*masks))


def threshold_counts(
    probability: Tensor, target: Tensor, thresholds: Tensor, ignore_index: int = 255
) -> list[PixelCounts]:
    """Count agreeing pixels of one image at several thresholds, from one histogram.

    Predicted is what has a higher ``probability``, (H, W) in [0, 1], than one of the rising
    ``thresholds``, (T,).

    Raises:
        ValueError: Probability and target differ in size, or probabilities are NaN.
    """
    check_sizes(probability, target)
    valid = target != ignore_index
    scores, labels = probability[valid], target[valid] == 1
    if scores.isnan().any():
        raise ValueError('probabilities are NaN, which no threshold divides; did training diverge?')
    # Bin k holds what exceeds exactly the first k thresholds.
    bins = torch.bucketize(scores, thresholds.to(scores))
    length = len(thresholds) + 1
    tampered, every = (
        torch.bincount(each, minlength=length).flip(0).cumsum(0).flip(0).tolist()
        for each in (bins[labels], bins)
    )
    return [PixelCounts(tampered[k], every[k], tampered[0], every[0]) for k in range(1, length)]


def ignore_band(target: Tensor, erosion: int, dilation: int, ignore_index: int = 255) -> Tensor:
    """Ignore a band along the outline of the tampered regions.

    Tampered stays what lies in the square erosion of the mask, authentic what lies outside of its
    square dilation, whose sides are odd numbers of pixels; nothing lies beyond the edge of the
    image. TruFor's script: 15 and 11. What was ignored stays so. Returns a new target.
    """
    tampered = target == 1
    inside = ~_dilate(~tampered, erosion)
    outside = ~_dilate(tampered, dilation)
    return target.masked_fill(~(inside | outside), ignore_index)


def _dilate(mask: Tensor, side: int) -> Tensor:
    """Square dilation, as a row of a maximum along each axis; padding never is a maximum."""
    maxima = mask.float()[None]
    maxima = F.max_pool2d(maxima, (side, 1), stride=1, padding=(side // 2, 0))
    return F.max_pool2d(maxima, (1, side), stride=1, padding=(0, side // 2))[0].bool()
