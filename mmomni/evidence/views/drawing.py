"""What all views share: the check of what they are given, and words on a picture."""

import cv2
import numpy as np

from mmomni.jpeg.orientation import upright

DARK, LIGHT = (20, 20, 20), (245, 245, 245)
SMALLEST_TEXT = 0.35
"""Of OpenCV's size of a font; smaller letters cannot be read."""


def checked(image: np.ndarray) -> np.ndarray:
    """An image in the order of its memory.

    Raises:
        ValueError: It is not RGB, ``uint8`` (H, W, 3), or has no pixels.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f'expected RGB, uint8 (H, W, 3), got {image.dtype} {image.shape}')
    return np.ascontiguousarray(image)


def turned(picture: np.ndarray, orientation: int, text: str = '') -> np.ndarray:
    """A picture as a person is shown it: upright, with words in its upper left corner."""
    picture = upright(picture, orientation)
    return _with_text(picture, text) if text else picture


def _with_text(picture: np.ndarray, text: str) -> np.ndarray:
    """On a bar, in letters that fit the picture; on none that is too narrow for them."""
    height, width = picture.shape[:2]
    scale = max(SMALLEST_TEXT, min(width, height) / 1200)
    (length, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    scale = min(scale, 0.96 * scale * width / length)
    if scale < SMALLEST_TEXT:
        return picture
    thickness = max(1, round(1.5 * scale))
    (length, rise), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    margin = below // 2 + 2
    picture = np.ascontiguousarray(picture)
    corner = (min(width, length + 2 * margin), min(height, rise + below + 2 * margin))
    cv2.rectangle(picture, (0, 0), corner, DARK, -1)
    place = (margin, margin + rise)
    cv2.putText(
        picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, LIGHT, thickness, cv2.LINE_AA
    )
    return picture
