"""A prediction as a person looks at it: as colours, with its regions outlined.

Letters: ``H W`` image height and width in pixels. Nothing here makes a float copy of a map, so that
a picture of 100 megapixels can be drawn in the memory that its bytes take.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from mmomni.jpeg.orientation import Box, upright

# The same in RGB and BGR.
OUTLINE = (255, 0, 255)
HALO = (255, 255, 255)
NUMBERED = 10
"""So many regions carry a number."""
LINES_A_SIDE = 400
"""The longest side divided by the thickness of an outline."""
_STRIPE = 512


def heat_levels(probability: np.ndarray) -> np.ndarray:
    """Probabilities (H, W) as ``round(255 p)``, ``uint8``: what :func:`heat_palette` colours."""
    return cv2.convertScaleAbs(probability, alpha=255)


@lru_cache(maxsize=1)
def heat_palette() -> np.ndarray:
    """Matplotlib's ``inferno`` as OpenCV has it: RGB ``uint8`` (256, 3), black = authentic."""
    levels = np.arange(256, dtype=np.uint8)[:, None]  # of one dimension, OpenCV 5 would give two
    return cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[:, 0, ::-1].copy()


def heat_map(probability: np.ndarray) -> np.ndarray:
    """Probabilities (H, W) in colours, RGB ``uint8`` (H, W, 3)."""
    return heat_palette()[heat_levels(probability)]


def shrunk(pixels: np.ndarray, side: int, orientation: int = 1) -> np.ndarray:
    """An image or a map, (H, W) or (H, W, C), upright and no side longer than ``side``."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return upright(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), orientation)


def outline_regions(image: np.ndarray, mask: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Draw the edges of a mask and the numbers of its regions onto an image, in place.

    The lines lie on the edges, so that what is inside can be seen. The first ``NUMBERED`` boxes get
    their number, from 1.

    Args:
        image: RGB or BGR ``uint8`` (H, W, 3), contiguous; it is returned.
        mask: 1 = tampered; ``uint8`` (H, W).
        boxes: Of the regions, largest first.
    """
    thickness = max(1, round(max(mask.shape) / LINES_A_SIDE))
    outer = cv2.dilate(mask, _square(thickness))
    # What lies beyond the image is authentic: regions are closed along its border.
    inner = cv2.erode(mask, _square(thickness), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    line = cv2.subtract(outer, inner)
    halo = cv2.subtract(cv2.dilate(outer, _square(thickness), dst=inner), outer, dst=outer)
    for start in range(0, len(image), _STRIPE):  # indices of one stripe at a time
        rows = slice(start, start + _STRIPE)
        image[rows][halo[rows] == 1] = HALO
        image[rows][line[rows] == 1] = OUTLINE
    for number, box in enumerate(boxes[:NUMBERED], 1):
        _write_number(image, number, box, thickness)
    return image


def _square(thickness: int) -> np.ndarray:
    side = 2 * ((thickness + 1) // 2) + 1
    return np.ones((side, side), np.uint8)


def _write_number(image: np.ndarray, number: int, box: Box, thickness: int) -> None:
    """Above the upper left corner of a box, or inside where there is no room."""
    scale = max(0.4, max(image.shape[:2]) / 1400)
    (width, height), _ = cv2.getTextSize(str(number), cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    gap = 3 * thickness
    x = max(0, min(box[0], image.shape[1] - width))
    y = box[1] - gap if box[1] - gap >= height else box[1] + gap + height
    for colour, pen in ((HALO, 3 * thickness), (OUTLINE, thickness)):
        cv2.putText(
            image, str(number), (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, pen, cv2.LINE_AA
        )
