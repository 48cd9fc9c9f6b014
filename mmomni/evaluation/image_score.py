"""A probability map as one score: is this image forged? Knows nothing of torch or OpenMMLab."""

import math

import numpy as np

IMAGE_POOLINGS = ('max', 'top_k_mean')
TOP_K = 0.01
"""Share of the pixels that ``'top_k_mean'`` looks at."""
PART = 1 << 22
"""Pixels that are looked at together: of a small share, no second map of a large image is held."""


def image_score(probability: np.ndarray, pooling: str, top_k: float = TOP_K) -> float:
    """Pool the probability of "tampered", (H, W), into the score of an image, in [0, 1].

    Args:
        probability: Of each pixel.
        pooling: ``'max'``, or ``'top_k_mean'``, the mean of the highest pixels.
        top_k: Their share of all pixels, in (0, 1]; at least one pixel.

    Raises:
        ValueError: Another pooling, or probabilities that are no numbers.
    """
    if pooling == 'max':
        score = float(probability.max())
    elif pooling == 'top_k_mean':
        score = float(highest(probability, top_k).mean(dtype=np.float64))
    else:
        raise ValueError(f'expected pooling to be one of {IMAGE_POOLINGS}, got {pooling!r}')
    if math.isnan(score):
        raise ValueError(
            'expected probabilities in [0, 1], got NaN; did the training of this checkpoint '
            'diverge? Look at its losses, and take an earlier one'
        )
    return score


def highest(values: np.ndarray, share: float = TOP_K) -> np.ndarray:
    """The highest values of a map, in no order: at least one; NaN counts as the highest."""
    count = max(1, round(share * values.size))
    found: np.ndarray = values[:0].ravel()
    for part in np.array_split(values.ravel(), -(-values.size // PART)):
        found = np.concatenate([found, part])
        if found.size > count:
            found = np.partition(found, found.size - count)[-count:]
    return found
