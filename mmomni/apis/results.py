"""What is said about an image."""

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import cv2
import numpy as np

from mmomni.evaluation.image_score import highest, image_score
from mmomni.jpeg.orientation import upright, upright_box
from mmomni.utils.arrays import sigmoid
from mmomni.visualization import outline_regions

from .card import result_card

SMALLEST_REGION = 64
"""Pixels; those of one JPEG block."""
STRIPE = 512


class Region(NamedTuple):
    """A connected tampered region, in pixels of the file as it is stored.

    Attributes:
        box: ``x1, y1, x2, y2``; the right and lower edges are exclusive.
        area: Pixels.
        mean_probability: Of "tampered", over these pixels.
    """

    box: tuple[int, int, int, int]
    area: int
    mean_probability: float


class GateChoice(NamedTuple):
    """Which modality the gate took for the whole image (paper, section 3.1).

    Attributes:
        modality: What the decision rests on.
        confidence: Of that choice, 0.5 (undecided) to 1: ``max(P, 1 - P)``, ``P = sigmoid(P_cls)``.
    """

    modality: Literal['vision', 'vision + frequency']
    confidence: float


@dataclass(frozen=True)
class Prediction:
    """Where an image was tampered with. Maps have the size of the file as stored (H, W).

    Attributes:
        source: Path of the file, or ``array 3``, ``bytes 3``: its place among the inputs.
        image: RGB as stored, EXIF orientation not applied; ``uint8`` (H, W, 3).
        probability: Of "tampered"; ``float32`` (H, W).
        threshold: A pixel is called tampered above it.
        mask: 1 = tampered; ``uint8`` (H, W).
        score: Of the image, 0 to 1: see ``pooling``.
        pooling: How the map became the score, one of ``IMAGE_POOLINGS``.
        regions: Connected parts of the mask, largest first; specks smaller than one JPEG block
            are in the mask only.
        gate: ``None`` for a model without a learned gate.
        dct_source: ``'file'`` (the coefficients are the file's own) or ``'transcoded'`` (the file
            is no JPEG: coefficients of one save at quality 100).
        orientation: EXIF orientation, 1 to 8; a person should be shown the maps turned by it.
        windows: How many windows the image was cut into; 1: it passed whole.
        seconds: From reading the file to this result, a batch's time shared equally.
        warnings: What a person should know before trusting the result.
        precision: In which the network computed, ``'fp32'`` or ``'bf16'``.
        flaws: Those of the warnings that tell what is odd or broken in the file.
        damage: Those of the warnings that tell of pixels that are not the ones that were saved.
    """

    source: str
    image: np.ndarray = field(repr=False)
    probability: np.ndarray = field(repr=False)
    threshold: float
    mask: np.ndarray = field(repr=False)
    score: float
    pooling: str
    regions: tuple[Region, ...]
    gate: GateChoice | None
    dct_source: str
    orientation: int
    windows: int
    seconds: float
    warnings: tuple[str, ...] = ()
    precision: Literal['fp32', 'bf16'] = 'fp32'
    flaws: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """What a notebook shows: image, heat map, score, gate and warnings."""
        gate = self.gate
        share = float(self.mask.mean())
        facts = [
            ('score', f'{self.score:.3f} ({self.pooling}): a rank, no probability'),
            ('gate', f'{gate.modality}, {100 * gate.confidence:.0f} %' if gate else 'none'),
            ('regions', f'{len(self.regions)}, {100 * share:.1f} % above {self.threshold:g}'),
            ('coefficients', self.dct_source),
        ]
        return result_card(
            self.source, self.image, self.probability, self.orientation, facts, self.warnings
        )


class Failure(NamedTuple):
    """An input that could not be predicted.

    Attributes:
        source: As in :class:`Prediction`.
        reason: What was expected, what came and what to do.
    """

    source: str
    reason: str


def find_regions(mask: np.ndarray, probability: np.ndarray) -> tuple[Region, ...]:
    """Connected (8 neighbours) parts of a mask, largest first, without specks.

    The mask, 1 = tampered, is ``uint8``, the probability of "tampered" ``float32``, both (H, W).
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    sums = np.zeros(len(stats))
    for start in range(0, len(mask), STRIPE):  # bincount makes float64 copies
        rows = slice(start, start + STRIPE)
        sums += np.bincount(labels[rows].ravel(), probability[rows].ravel(), len(stats))
    regions = []
    for number in np.flatnonzero(areas >= SMALLEST_REGION):
        if number > 0:  # 0 is the authentic rest
            x, y, width, height, area = stats[number].tolist()
            regions.append(Region((x, y, x + width, y + height), area, float(sums[number] / area)))
    return tuple(sorted(regions, key=lambda region: -region.area))


def choice_of_gate(logit: float) -> GateChoice:
    """``P_cls`` as the encoder reads it: ``sigmoid(P_cls)`` above one half is pure vision.

    Raises:
        ValueError: It is not a number.
    """
    if math.isnan(logit):
        raise ValueError('expected a number from the gate, got NaN; take an earlier checkpoint')
    p = float(sigmoid(np.array([logit]))[0])
    return GateChoice('vision' if p > 0.5 else 'vision + frequency', max(p, 1 - p))


def score_of(log_odds: np.ndarray, pooling: str) -> float:
    """:func:`~mmomni.evaluation.image_score.image_score` of a large map in little memory.

    In float32 the probabilities of sure pixels would all round to 1, in float64 a large map would
    need gigabytes; so the highest log-odds of "tampered", ``float32`` (H, W), are found first.
    """
    return image_score(sigmoid(highest(log_odds).astype(np.float64)), pooling, top_k=1.0)


def draw_overlay(prediction: Prediction) -> np.ndarray:
    """The image with its regions outlined and numbered, turned as a viewer shows the photo.

    It is RGB, a view of BGR as the decoder and OpenCV have it; ``uint8`` (H, W, 3).
    """
    stored = np.ascontiguousarray(prediction.image[..., ::-1])
    image = upright(stored, prediction.orientation)
    if np.shares_memory(image, prediction.image):
        image = image.copy()
    mask, orientation = prediction.mask, prediction.orientation
    boxes = [upright_box(region.box, mask.shape, orientation) for region in prediction.regions]
    outline_regions(image, upright(mask, orientation), boxes)
    return image[..., ::-1]
