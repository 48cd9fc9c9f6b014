"""Whether a network said anything at all of an image."""

from torch import Tensor


class UndefinedPredictionError(ValueError):
    """Logits of which no probability is defined; the message says how many."""


def demand_defined(logits: Tensor) -> None:
    """Refuse logits (C, H, W) without a softmax, whose ``argmax`` would be scored as a decision.

    ``-inf`` beside a finite logit is a probability of 0. The softmax of a pixel is undefined where
    its largest logit is no finite number; the sigmoid of one channel only where that is NaN.

    Raises:
        UndefinedPredictionError: There are such pixels.
    """
    largest = logits.amax(dim=0)
    defined = largest.isfinite() if len(logits) > 1 else ~largest.isnan()
    if not defined.all():
        raise UndefinedPredictionError(
            'expected finite logits, got NaN or infinity for '
            f'{int((~defined).sum()):,} of {defined.numel():,} pixels; did the training of this '
            'checkpoint diverge, or does half precision (fp16) overflow?'
        )
