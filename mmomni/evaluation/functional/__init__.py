from ..image_score import IMAGE_POOLINGS  # noqa: TID252  (see image_level.py)
from .defined import UndefinedPredictionError, demand_defined
from .image_level import image_level_scores, image_score
from .pixel import PixelCounts, ignore_band, pixel_counts, threshold_counts
from .protocols import PROTOCOLS, Eps, Protocol, build_protocol
from .ranking import average_precision, best_counts, roc_auc, score_groups, score_histogram
from .reliability import INTERVALS, Reliability, reliability
from .scoring import ImageResult, count_scores, dataset_scores, per_image_scores, score_image

__all__ = [
    'IMAGE_POOLINGS', 'INTERVALS', 'PROTOCOLS', 'Eps', 'ImageResult', 'PixelCounts', 'Protocol',
    'Reliability', 'UndefinedPredictionError', 'average_precision', 'best_counts', 'build_protocol',
    'count_scores', 'dataset_scores', 'demand_defined', 'ignore_band', 'image_level_scores',
    'image_score', 'per_image_scores', 'pixel_counts', 'reliability', 'roc_auc',
    'score_groups', 'score_histogram', 'score_image', 'threshold_counts',
]  # fmt: skip
