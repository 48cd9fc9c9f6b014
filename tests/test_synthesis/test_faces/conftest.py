import cv2
import numpy as np
import pytest

from mmomni.synthesis.scene import Scene

BOX = (30, 20, 90, 80)
DONOR_BOX = (20, 30, 60, 70)


def face_at(box, skin, size=(110, 120)) -> np.ndarray:
    """A disc of skin with darker eyes and a mouth in a box, on grey with fine noise."""
    x1, y1, x2, y2 = box
    side = x2 - x1
    image = np.full((*size, 3), 120, np.uint8)
    cv2.circle(image, ((x1 + x2) // 2, (y1 + y2) // 2), side // 2, skin, cv2.FILLED)
    dark = tuple(int(0.7 * level) for level in skin)
    for x, y, radius in ((0.32, 0.4, 0.09), (0.68, 0.4, 0.09), (0.5, 0.78, 0.12)):
        at = (round(x1 + x * side), round(y1 + y * side))
        cv2.circle(image, at, round(radius * side), dark, cv2.FILLED)
    noise = np.random.default_rng(0).normal(0, 2, (*size, 1))
    return (image + noise).round().clip(0, 255).astype(np.uint8)


@pytest.fixture
def portraits() -> Scene:
    """Two portraits of nearly the same colours, with their boxes; the donor's is smaller."""
    image, donor = face_at(BOX, (190, 140, 120)), face_at(DONOR_BOX, (180, 140, 130))
    return Scene(image, donor, face=BOX, donor_face=DONOR_BOX)
