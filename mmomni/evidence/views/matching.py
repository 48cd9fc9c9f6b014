"""Places of an image that look like others of it. Letters: ``N`` keypoints, ``M`` pairs of them."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

SEARCHED_PIXELS = 1_500_000
"""Of larger images a smaller copy is searched, which bounds the time."""
MOST_KEYPOINTS = 5000
MOST_PAIRS = 3000
SMALLEST_CONTRAST = 0.015
SMALLEST_GAP = 0.05
"""Of the longer side: so far apart are two places at least. Near ones look alike in any photo."""
LARGEST_DISTANCE = 0.35
LARGEST_RATIO = 0.65
NEIGHBOURS = 4
LEAST_MATCHES = 8
MOST_COPIES = 10
LARGEST_SCALE = 2.5
TOLERANCE = 3.0
"""Pixels of the searched image."""
SLACK = 0.06
"""Of the distance from one keypoint to another, by whose size and angle alone a place is turned."""


class Copy(NamedTuple):
    """Keypoints that lie alike in two places, in pixels of the image: ``x + iy``, (M,)."""

    source: np.ndarray
    target: np.ndarray


class _Pairs(NamedTuple):
    """Keypoints ``source`` with those that they look like, ``x + iy``, (M,).

    Attributes:
        turn: How the second is scaled and turned against the first: ``scale * exp(i angle)``, (M,).
    """

    source: np.ndarray
    target: np.ndarray
    turn: np.ndarray


def find_copies(grey: np.ndarray) -> tuple[list[Copy], float]:
    """Places that are copies of others, moved, turned and scaled, of a ``uint8`` (H, W) image.

    Returns:
        The copies, those with most matches first; the scale at which the image was searched.
    """
    scale = min(1.0, (SEARCHED_PIXELS / grey.size) ** 0.5)
    if scale < 1:
        size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    if min(grey.shape) < 16:  # SIFT's pyramid has no place in it
        return [], scale
    # (the stubs of OpenCV lack it)
    sift = cv2.SIFT_create(  # type: ignore[attr-defined]
        nfeatures=MOST_KEYPOINTS, contrastThreshold=SMALLEST_CONTRAST
    )
    keypoints, descriptors = sift.detectAndCompute(grey, None)
    if len(keypoints) < LEAST_MATCHES:
        return [], scale
    pairs = _similar(keypoints, descriptors, SMALLEST_GAP * max(grey.shape))
    return [Copy(a / scale, b / scale) for a, b in _consistent(pairs)], scale


def _similar(keypoints: Sequence[cv2.KeyPoint], descriptors: np.ndarray, gap: float) -> _Pairs:
    """Keypoints with the few others, at least ``gap`` pixels away, that are far more like them.

    Of a thing that is there three times, each has two: the largest step between the distances of
    the nearest neighbours tells how many (generalised 2NN of Amerini et al., TIFS 2011).
    """
    points = np.array([complex(*keypoint.pt) for keypoint in keypoints], np.complex64)
    shapes = np.array(
        [keypoint.size * np.exp(1j * np.radians(keypoint.angle)) for keypoint in keypoints]
    )
    roots = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    found = []
    for start in range(0, len(points), 500):
        rows = slice(start, start + 500)
        likeness = roots[rows] @ roots.T
        likeness[np.abs(points[rows, None] - points) < gap] = -1
        found.append(_far_more_like(likeness, start))
    first, second, distances = (np.concatenate(each) for each in zip(*found, strict=True))
    best = np.argsort(distances, kind='stable')[:MOST_PAIRS]
    first, second = first[best], second[best]
    turn = shapes[second] / shapes[first]
    scales = np.abs(turn)
    is_likely = np.maximum(scales, 1 / scales) < LARGEST_SCALE
    return _chosen(_Pairs(points[first], points[second], turn.astype(np.complex64)), is_likely)


def _far_more_like(likeness: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of two keypoints and their distance, of all pairs that stand out; each (M,).

    The likeness is the cosine of each keypoint from ``start`` on to all, (n, N).
    """
    most = min(NEIGHBOURS, likeness.shape[1])
    nearest = np.argpartition(-likeness, most - 1, axis=1)[:, :most]
    values = np.take_along_axis(likeness, nearest, axis=1)
    order = np.argsort(-values, axis=1)
    nearest = np.take_along_axis(nearest, order, axis=1)
    values = np.take_along_axis(values, order, axis=1)
    distances = np.sqrt(np.maximum(2 - 2 * values, 1e-6))
    ratios = distances[:, :-1] / distances[:, 1:]
    step = ratios.argmin(axis=1)
    is_match = (np.arange(most - 1) <= step[:, None]) & (distances[:, :-1] < LARGEST_DISTANCE)
    is_match &= (ratios.min(axis=1) < LARGEST_RATIO)[:, None]
    rows, columns = np.nonzero(is_match)
    return rows + start, nearest[rows, columns], distances[rows, columns]


def _consistent(pairs: _Pairs) -> list[Copy]:
    """Pairs of which many are explained by one shift, turn and scale; the largest group first."""
    copies: list[Copy] = []
    votes = _votes(pairs)
    is_left = np.ones(len(pairs.source), bool)
    while len(copies) < MOST_COPIES and is_left.sum() >= LEAST_MATCHES:
        counts = (votes & is_left).sum(axis=1) * is_left
        best = int(counts.argmax())
        if counts[best] < LEAST_MATCHES:
            break
        fitted = _fitted(_chosen(pairs, votes[best] & is_left))
        is_left[best] = False
        if fitted is None:
            continue
        factor, shift = fitted
        is_explained = np.abs(factor * pairs.source + shift - pairs.target) < TOLERANCE
        is_reverse = np.abs(factor * pairs.target + shift - pairs.source) < TOLERANCE
        group = _chosen(pairs, is_explained & is_left)
        is_left &= ~(is_explained | is_reverse)
        if _is_an_area(group.source) and _is_an_area(group.target):
            copies.append(Copy(group.source, group.target))
    return sorted(copies, key=lambda copy: -len(copy.source))


def _votes(pairs: _Pairs) -> np.ndarray:
    """Whether a pair's own turn says where the other's target is; ``bool`` (M, M)."""
    source, target, turn = (each[:, None] for each in pairs)
    expected = target + turn * (pairs.source - source)
    slack = TOLERANCE + SLACK * np.abs(pairs.target - target)
    return np.abs(expected - pairs.target) < slack


def _fitted(pairs: _Pairs) -> tuple[complex, complex] | None:
    """Factor and summand that make most targets of their sources; ``None``: there are none."""
    source, target = (np.stack([each.real, each.imag], axis=1) for each in pairs[:2])
    matrix, _ = cv2.estimateAffinePartial2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=TOLERANCE
    )
    if matrix is None:
        return None
    return complex(matrix[0, 0], matrix[1, 0]), complex(matrix[0, 2], matrix[1, 2])


def _is_an_area(points: np.ndarray) -> bool:
    """Whether there are enough of them, and not all on one line, as along an edge."""
    distinct = np.unique(np.round(np.stack([points.real, points.imag]) / TOLERANCE), axis=1)
    if distinct.shape[1] < LEAST_MATCHES:
        return False
    return bool(np.linalg.eigvalsh(np.cov(distinct))[0] > 1)


def _chosen(pairs: _Pairs, which: np.ndarray) -> _Pairs:
    return _Pairs(*(each[which] for each in pairs))
