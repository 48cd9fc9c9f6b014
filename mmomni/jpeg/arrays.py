"""Arrays that somebody gives instead of a file."""

import numpy as np

from .codec import ImageReadError


def bgr_of(array: np.ndarray, name: str = 'array') -> np.ndarray:
    """A colour or grey image as OpenCV and the host have it: BGR ``uint8`` (H, W, 3).

    Raises:
        ImageReadError: It is not ``uint8``, or not (H, W, 3) or (H, W), or empty.
    """
    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[2] == 3
    if array.dtype != np.uint8 or not (grey or colour) or not array.size:
        raise ImageReadError(
            f'{name}: expected uint8 (H, W, 3) in BGR, or (H, W), got {array.dtype} {array.shape}'
        )
    return np.repeat(array[..., None], 3, axis=2) if grey else array
