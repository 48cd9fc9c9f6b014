import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmomni.jpeg import ImageReadError, encode, has_luma, read_luma
from mmomni.jpeg.luma import MAX_COEFFICIENT
from mmomni.registry import TRANSFORMS

from .pixels import check


def magnitude(coefficients: np.ndarray) -> np.ndarray:
    """``|q|`` clipped to 0..20: ``int16`` (H, W) -> ``uint8`` (H, W)."""
    absolute = cv2.convertScaleAbs(coefficients)
    return cv2.threshold(absolute, MAX_COEFFICIENT, 0, cv2.THRESH_TRUNC)[1]


@TRANSFORMS.register_module()
class ExtractDCT(BaseTransform):
    """Add the quantised luma DCT coefficients of the very JPEG that the pixels came from.

    ``dct_source`` says which: ``file`` (the coefficients of the file on disk), ``recompressed``
    (of the last save by :class:`RandomJPEGCompress`), or ``transcoded`` (the image is no JPEG,
    or one without a luma component: saved once in memory at quality 100, 4:4:4).

    Required Keys: img, img_bytes, img_crc, dct_source

    Modified Keys: dct_source

    Added Keys: dct (``|q|`` clipped to 0..20, uint8, (H, W)), qtable (quantisation steps clipped
    to 255, uint8, (8, 8))

    Args:
        backend: ``'jpeglib'`` or ``'jpegio'``; both give the same numbers.
    """

    def __init__(self, backend: str = 'jpeglib') -> None:
        self.backend = backend

    def transform(self, results: dict) -> dict:
        """Raises ``ValueError`` when a transform changed the pixels since the JPEG was read."""
        check(
            results,
            'ExtractDCT',
            'put mmomni.RandomJPEGCompress after the last transform that changes pixels',
        )
        data, name = results['img_bytes'], results.get('img_path', 'image')
        if not data or not has_luma(data):  # no bytes: an array that never was a file
            data = encode(results['img'], 100, '4:4:4', name, 'bgr')
            results['dct_source'] = 'transcoded'
        luma = read_luma(data, self.backend, name)
        height, width = results['img'].shape[:2]
        if luma.coefficients.shape[0] < height or luma.coefficients.shape[1] < width:
            raise ImageReadError(
                f'{name}: expected luma at full resolution '
                f'{(height, width)}, got {luma.coefficients.shape}; save the image again'
            )
        results['dct'] = magnitude(luma.coefficients[:height, :width])
        results['qtable'] = luma.table.clip(max=255).astype(np.uint8)
        return results
