import cv2
import numpy as np


def unmirrored(pixels: np.ndarray) -> np.ndarray:
    """The same values, (H, W) or (H, W, 3), those of every row from left to right in memory.

    A flip by mmcv is a view that runs through memory backwards. OpenCV and NumPy copy such a view
    byte by byte; mirroring the memory takes a thirtieth of that time. ``pixels`` itself comes back
    where its rows run forwards, or where they are not ``uint8``.
    """
    if pixels.strides[1] >= 0 or pixels.dtype != np.uint8:
        return pixels
    return cv2.flip(pixels[:, ::-1], 1)


def sigmoid(log_odds: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """``1 / (1 + exp(-x))`` of floats of any shape, in their precision; NaN stays NaN.

    ``out`` may be ``log_odds`` itself.
    """
    out = np.negative(log_odds, out=out)
    with np.errstate(over='ignore'):  # beyond the largest number it is infinite, and 1 over it 0
        np.exp(out, out=out)
    out += 1
    return np.reciprocal(out, out=out)
