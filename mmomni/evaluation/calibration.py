"""A threshold for "this image is tampered" with a known rate of false alarms.

Nothing is trained. The threshold is a conformal quantile of the scores of authentic images:
whatever the network and the distribution of its scores, of new authentic images that are
exchangeable with these no larger share than asked for lies above it, on average over such sets of
images.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from mmomni.utils.text import counted

A_DOMAIN = 'a word of up to 40 letters, digits, - and _'
"""What the kind of images of a calibration is called by."""


def is_domain(name: object) -> bool:
    """Whether it is :data:`A_DOMAIN`: it comes from files of strangers, and is shown."""
    return isinstance(name, str) and re.fullmatch('[A-Za-z0-9_-]{1,40}', name) is not None


class Threshold(NamedTuple):
    """Images that score above ``value`` are called tampered.

    Attributes:
        value: A score, between 0 and 1.
        rate: Share of authentic images above it, expected over calibration sets of this size; at
            most the one asked for.
        rate_std: Standard deviation of that share over calibration sets of this size.
        num_images: How many authentic images it rests on.
    """

    value: float
    rate: float
    rate_std: float
    num_images: int


def conformal_threshold(
    scores: Sequence[float], fpr: float, of_what: str = 'authentic image'
) -> Threshold:
    """The lowest threshold that ``n`` scores of authentic images vouch for.

    With ``m = floor((n + 1) fpr)`` it is the m-th largest score. A new authentic score is as likely
    to rank first as last among the ``n + 1``, so it lies above with probability at most
    ``m / (n + 1)``; ties only lower that. The share above a given threshold varies with the
    calibration set as ``Beta(m, n + 1 - m)`` (Vovk 2012, "Conditional validity of inductive
    conformal predictors").

    Args:
        scores: Of authentic images.
        fpr: Largest share of authentic images to be called tampered, above 0 and below 1.
        of_what: In the error, what they are scores of.

    Raises:
        ValueError: ``fpr`` makes no sense, or is below ``1 / (n + 1)``, the smallest rate that n
            images can vouch for.
    """
    if not 0 < fpr < 1:
        raise ValueError(f'the false-positive rate must be above 0 and below 1, got {fpr}')
    n = len(scores)
    m = _ranked_above(n, fpr)
    if m < 1:
        least = -(-1 // Fraction(str(fpr))) - 1
        raise ValueError(
            f'{counted(n, of_what)} can vouch for a false-positive rate of at least 1/{n + 1} = '
            f'{1 / (n + 1):.2g}, not for {fpr}; give at least {least} images, or a higher rate'
        )
    return Threshold(float(sorted(scores)[n - m]), *expected_rate(n, fpr), num_images=n)


def expected_rate(n: int, fpr: float) -> tuple[float, float]:
    """Share above the threshold that ``n`` scores vouch for, and its standard deviation.

    Both over calibration sets of this size; see :func:`conformal_threshold`.
    """
    rate = _ranked_above(n, fpr) / (n + 1)
    return rate, (rate * (1 - rate) / (n + 2)) ** 0.5


def _ranked_above(n: int, fpr: float) -> int:
    return int((n + 1) * Fraction(str(fpr)))  # 0.29 * 100 is 28.999999999999996
