"""Where the face of a portrait is."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from mmomni.synthesis.scene import Box

# Longest side at which faces are looked for, in pixels.
DETECTION_SIDE = 320
# Detections of one face at neighbouring places and scales; with fewer, much is no face.
LEAST_VOTES = 6
CASCADE = 'haarcascade_frontalface_alt2.xml'


@lru_cache(maxsize=1)
def _cascade() -> cv2.CascadeClassifier | None:
    folder = getattr(getattr(cv2, 'data', None), 'haarcascades', '')
    path = Path(folder) / CASCADE
    if not path.is_file():
        return None
    cascade = cv2.CascadeClassifier(str(path))
    return None if cascade.empty() else cascade


def find_face(image: np.ndarray) -> Box | None:
    """The most prominent frontal face of an image, ``uint8`` (H, W, 3).

    It is (x1, y1, x2, y2) in pixels, partly outside of an image that the face fills, or ``None``:
    no face found, or no cascade file in this OpenCV.
    """
    cascade = _cascade()
    if cascade is None:
        return None
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    # Faces that fill the image are found only with some room around them.
    pad = min(grey.shape) // 4
    grey = cv2.copyMakeBorder(grey, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    scale = min(1.0, DETECTION_SIDE / max(grey.shape))
    grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    least = max(24, min(grey.shape) // 8)
    boxes, votes = cascade.detectMultiScale2(grey, 1.1, LEAST_VOTES, minSize=(least, least))
    faces = []
    for (x, y, side, _), vote in zip(boxes, votes, strict=True):
        x1, y1, x2, y2 = (round(float(v) / scale) - pad for v in (x, y, x + side, y + side))
        if 0 <= x1 + x2 < 2 * image.shape[1] and 0 <= y1 + y2 < 2 * image.shape[0]:
            # Things that look like faces get few votes, as do small faces behind.
            faces.append((int(vote) * (x2 - x1), (x1, y1, x2, y2)))
    return max(faces)[1] if faces else None


def centre_box(image: np.ndarray) -> Box:
    """Where a portrait has its face: 0.7 of the shorter side, a little above the middle."""
    height, width = image.shape[:2]
    half = round(min(height, width) * 0.35)
    x, y = width // 2, max(int(height * 0.45), half)
    return x - half, y - half, x + half, y + half
