"""Probability maps scored by a protocol: first each image, then the images of a set.

A ``target`` is (H, W), 1 = tampered, 0 = authentic, ``ignore_index`` = not counted.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from torch import Tensor

from .pixel import PixelCounts, check_sizes, count_true, ignore_band, pixel_counts
from .protocols import PROTOCOLS, Protocol
from .ranking import Groups, average_precision, best_counts, roc_auc, score_groups, score_histogram


@dataclass(frozen=True)
class ImageResult:
    """All that is kept of a tested image: numbers, whatever its size.

    Args:
        counts: Of the prediction, outside of the ignored band.
        scores: Those whose mean over images is taken; NaN = skipped.
        is_tampered: Whether the mask, before the band was taken out, has tampered pixels.
        tampered_area: Their share.
    """

    counts: PixelCounts
    scores: dict[str, float]
    is_tampered: bool
    tampered_area: float

    @property
    def is_skipped(self) -> bool:
        """Whether a mean over images leaves this one out."""
        return any(math.isnan(score) for score in self.scores.values())


def score_image(
    probability: Tensor, target: Tensor, protocol: Protocol, ignore_index: int = 255
) -> ImageResult:
    """Score one image by its probability of "tampered", (H, W) in [0, 1].

    A decision of 0 and 1 will do where ``protocol.needs_probability`` is false.

    Raises:
        ValueError: Prediction and target differ in size; probabilities that are to be ranked are
            NaN.
    """
    check_sizes(probability, target)
    tampered, pixels = count_true(target == 1, target != ignore_index)
    if protocol.ignore_band is not None:
        target = ignore_band(target, *protocol.ignore_band, ignore_index)
    ranking = None
    if protocol.needs_ranking:  # else not, because sorting a map takes its time
        valid = target != ignore_index
        scored = probability[valid], target[valid] == 1
        bins = protocol.bins
        ranking = score_groups(*scored) if bins is None else score_histogram(*scored, bins)
    if ranking is not None and protocol.threshold == 'best':
        counts = best_counts(*ranking)
    else:
        counts = pixel_counts(probability > float(protocol.threshold), target, ignore_index)
    undefined = not counts.scored if tampered else protocol.empty_gt == 'skip'
    found = {} if undefined else _image_scores(counts, ranking, protocol)
    scores = {name: found.get(name, math.nan) for name in protocol.averaged_over_images}
    return ImageResult(counts, scores, tampered > 0, tampered / max(1, pixels))


def _image_scores(
    counts: PixelCounts, ranking: Groups | None, protocol: Protocol
) -> dict[str, float]:
    """All scores of a prediction, or with ``permute`` the higher of its and its inverse's."""
    found = count_scores(counts, protocol) | _ranking_scores(ranking, protocol)
    if not protocol.permute:
        return found
    inverse, inverse_ranking = counts.inverted(), None
    if ranking is not None:
        inverse_ranking = (ranking[0].flip(0), ranking[1].flip(0))
        if protocol.threshold == 'best':
            inverse = best_counts(*inverse_ranking)
    other = count_scores(inverse, protocol) | _ranking_scores(inverse_ranking, protocol)
    return {name: max(score, other[name]) for name, score in found.items()}


def count_scores(counts: PixelCounts, protocol: Protocol) -> dict[str, float]:
    """All scores of one prediction that its counts determine."""
    found = _class_scores(counts, protocol)
    permuted = max(found['mIoU'], _class_scores(counts.inverted(), protocol)['mIoU'])
    right = counts.intersection + counts.scored - counts.union
    return found | {'permuted_mIoU': permuted, 'pixel_accuracy': _ratio(right, counts.scored)}


def _class_scores(counts: PixelCounts, protocol: Protocol) -> dict[str, float]:
    eps = protocol.eps
    if not counts.tampered and protocol.empty_gt == 'one_if_empty':
        iou = f1 = precision = recall = float(not counts.predicted)
    else:
        iou = _ratio(counts.intersection, counts.union + eps.iou)
        precision = _ratio(counts.intersection, counts.predicted + eps.precision)
        recall = _ratio(counts.intersection, counts.tampered + eps.recall)
        f1 = _f1(precision, recall, protocol)
    authentic = counts.of_authentic()
    authentic_iou = _ratio(authentic.intersection, authentic.union + eps.iou)
    return {
        'IoU': iou,
        'F1': f1,
        'precision': precision,
        'recall': recall,
        'mIoU': (iou + authentic_iou) / 2,
    }


def _f1(precision: float, recall: float, protocol: Protocol) -> float:
    return _ratio(2 * precision * recall, precision + recall + protocol.eps.f1)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _ranking_scores(ranking: Groups | None, protocol: Protocol) -> dict[str, float]:
    if ranking is None:
        return {}
    found = {'F1_best': count_scores(best_counts(*ranking), protocol)['F1']}
    if protocol.empty_gt == 'zero' and not ranking[0].any():
        return found | {'AUC': 0.0, 'AP': 0.0}
    return found | {'AUC': roc_auc(*ranking), 'AP': average_precision(*ranking)}


def per_image_scores(counts: PixelCounts) -> dict[str, float]:
    """Protocol ``per_image`` (the paper's, as APSC-Net's code computes it) of one image.

    ``IoU = I / (U + 1e-6)``, ``p = I / (P + 1e-6)``, ``r = I / (G + 1e-6)``,
    ``F1 = 2 p r / (p + r + 1e-8)``. An image without tampered pixels scores 0 whatever is
    predicted.
    """
    protocol = PROTOCOLS['per_image']
    found = count_scores(counts, protocol)
    return {name: found[name] for name in protocol.scores}


def dataset_scores(
    images: Sequence[ImageResult], protocol: Protocol, places: Sequence[int] | None = None
) -> dict[str, float]:
    """The scores of a set of images; NaN is what not one of them defines.

    Args:
        images: All that could be read.
        protocol: The choices by which they were scored.
        places: Where in the dataset each image is, from 0, which matters with ``batch_size``
            alone: unreadable images have their place in a batch. None: nothing is left out.
    """
    size = protocol.batch_size or math.inf
    batches = [place // size for place in (range(len(images)) if places is None else places)]
    row = {
        name: _mean([image.scores[name] for image in images], batches)
        for name in protocol.averaged_over_images
    }
    total = PixelCounts(*(sum(image.counts[k] for image in images) for k in range(4)))
    # Where nothing is tampered nor predicted, `skip` leaves the pooled counts without a score.
    is_defined = bool(total.union) or protocol.empty_gt != 'skip'
    pooled = count_scores(total, protocol) if total.scored and is_defined else {}
    row |= {name: pooled.get(name, math.nan) for name in protocol.pooled}
    if protocol.average == 'doctamper':
        row['F1'] = _f1(row['precision'], row['recall'], protocol)
    return {name: row[name] for name in protocol.scores}


def _mean(values: Sequence[float], batches: Sequence[float]) -> float:
    """The mean of what is not NaN, within batches first; independent of the order."""
    defined = defaultdict(list)
    for value, batch in zip(values, batches, strict=True):
        if not math.isnan(value):
            defined[batch].append(value)
    return fmean(map(fmean, defined.values())) if defined else math.nan
