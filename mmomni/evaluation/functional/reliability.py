"""Whether a probability of 0.8 is right eight times in ten.

Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning" (AAAI 2015).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

INTERVALS = 20


class Reliability(NamedTuple):
    """Pixels in intervals of their probability, lowest first, those without pixels left out.

    Attributes:
        probability: Mean of each interval, float64 (K,).
        tampered: Share of its pixels that are tampered, float64 (K,).
        weight: Share of all pixels that lie in it, float64 (K,).
    """

    probability: Tensor
    tampered: Tensor
    weight: Tensor

    @property
    def error(self) -> float:
        """Expected calibration error, 0 at best: mean of ``|tampered - probability|``.

        NaN without pixels.
        """
        if not len(self.weight):
            return math.nan
        return float((self.weight * (self.tampered - self.probability).abs()).sum())


def reliability(positives: Tensor, negatives: Tensor) -> Reliability:
    """From a histogram of :func:`.score_histogram`, whose bins count by their middles.

    Raises:
        ValueError: Its bins do not fill whole intervals.
    """
    bins = len(positives)
    if bins % INTERVALS:
        raise ValueError(f'expected a multiple of {INTERVALS} bins, got {bins}')
    middles = (torch.arange(bins, dtype=torch.float64) + 0.5) / bins
    hits, pixels = (counts.flip(0).double() for counts in (positives, positives + negatives))
    sums = [part.view(INTERVALS, -1).sum(1) for part in (pixels, hits, pixels * middles)]
    total, hits, probabilities = (part[sums[0] > 0] for part in sums)
    return Reliability(probabilities / total, hits / total, total / total.sum())
