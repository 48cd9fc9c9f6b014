"""Where the face of a portrait is."""

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mmomni.synthesis.scene import Box

if TYPE_CHECKING:
    from skimage.feature import Cascade

# Longest side at which faces are looked for, in pixels.
DETECTION_SIDE = 320
# The side of the faces that the detector was trained with, in pixels.
TRAINED_SIDE = 24
# Detections of one face at neighbouring places and scales; with fewer, much is no face. With 6, of
# 522 portraits 407 have a face, and of 1320 other photographs, some of them of people, 50.
LEAST_VOTES = 6
# Intersection over union of two detections of one face.
SAME_FACE = 0.5


@lru_cache(maxsize=1)
def _cascade() -> 'Cascade':
    # Of scikit-image, because OpenCV has neither cascades nor their files since version 5.
    try:
        from skimage import data
        from skimage.feature import Cascade
    except ImportError as error:
        raise ImportError(
            f"faces are found by scikit-image, got {error}: pip install 'mmomni[faces]'"
        ) from error
    return Cascade(data.lbp_frontal_face_cascade_filename())


def demand_detector() -> None:
    """Raise ``ImportError`` with the command where there is no detector of faces."""
    _cascade()


def find_face(image: np.ndarray) -> Box | None:
    """The most prominent frontal face of an image, ``uint8`` (H, W, 3).

    It is (x1, y1, x2, y2) in pixels, partly outside of an image that the face fills, or ``None``.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    # Faces that fill the image are found only with some room around them.
    pad = min(grey.shape) // 4
    grey = cv2.copyMakeBorder(grey, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    scale = min(1.0, DETECTION_SIDE / max(grey.shape))
    size = [max(1, round(side * scale)) for side in grey.shape[::-1]]
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    detections = _detections(grey)
    if not len(detections):
        return None
    boxes, votes = _voted(detections)
    boxes = boxes / scale - pad
    twice_middles = boxes[:, :2] + boxes[:, 2:]
    inside = ((twice_middles >= 0) & (twice_middles < 2 * np.array(image.shape[1::-1]))).all(axis=1)
    # Things that look like faces get few votes, as do small faces behind.
    prominence = votes * (boxes[:, 2] - boxes[:, 0]) * (inside & (votes >= LEAST_VOTES))
    best = int(prominence.argmax())
    x1, y1, x2, y2 = (round(float(v)) for v in boxes[best])
    return (x1, y1, x2, y2) if prominence[best] else None


def _detections(grey: np.ndarray) -> np.ndarray:
    """Every window (x1, y1, x2, y2) in which the detector sees a face: (N, 4), sorted."""
    shorter = min(grey.shape)
    least = max(TRAINED_SIDE, shorter // 8)
    if shorter < least:
        return np.empty((0, 4))
    # A threshold above 1 joins no windows: the detector's own groups do not tell their votes.
    faces = _cascade().detect_multi_scale(
        grey,
        scale_factor=1.1,
        step_ratio=1.0,
        min_size=(least, least),
        max_size=(shorter, shorter),
        min_neighbor_number=0,
        intersection_score_threshold=2.0,
    )
    corners = ((f['c'], f['r'], f['c'] + f['width'], f['r'] + f['height']) for f in faces)
    return np.array(sorted(corners), dtype=float).reshape(-1, 4)


def _voted(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (N, 4) and the number (N,) of those that are the same face as each of the boxes."""
    corner = np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    shared = np.maximum(corner - np.maximum(boxes[:, None, :2], boxes[:, :2]), 0).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    same = shared > SAME_FACE * (areas[:, None] + areas - shared)
    votes = same.sum(axis=1)
    return same @ boxes / votes[:, None], votes


def centre_box(image: np.ndarray) -> Box:
    """Where a portrait has its face: 0.7 of the shorter side, a little above the middle."""
    height, width = image.shape[:2]
    half = round(min(height, width) * 0.35)
    x, y = width // 2, max(int(height * 0.45), half)
    return x - half, y - half, x + half, y + half
