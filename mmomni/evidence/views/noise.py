import cv2
import numpy as np

from .compression import amplified
from .drawing import checked, turned


def noise_residual(image: np.ndarray, orientation: int = 1) -> np.ndarray:
    """What a median filter takes away (as "Noise Analysis" of Forensically).

    The distance of each value from the median of its 3 x 3 neighbours, amplified so that the
    largest are white. A sensor's noise is alike wherever the scene is alike: parts that are
    smoother (retouched, generated, enlarged) or rougher than similar ones came from elsewhere.

    It cannot tell noise from fine texture: hair, leaves and print are bright, and sky, blur and
    dark or overexposed parts are dark in any photo; a strong JPEG has no noise left.

    Args:
        image: RGB, ``uint8`` (H, W, 3).
        orientation: EXIF, 1 to 8: the result is turned by it.

    Returns:
        RGB, ``uint8`` (H, W, 3).
    """
    image = checked(image)
    return turned(amplified(cv2.absdiff(image, cv2.medianBlur(image, 3))), orientation)
