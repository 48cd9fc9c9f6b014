import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmomni.jpeg import ImageReadError, Luma, encode, read_luma
from mmomni.jpeg.luma import MAX_COEFFICIENT, obstacle_to_luma
from mmomni.registry import TRANSFORMS

from .loading import adopt
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
    or one without coefficients of luma at full resolution: saved once in memory at quality 100,
    4:4:4).

    Required Keys: img, img_bytes, img_crc, dct_source; or img alone, with img_path ``None``, as
    mmseg's ``LoadImageFromNDArray`` leaves an array

    Modified Keys: dct_source

    Added Keys: dct (``|q|`` clipped to 0..20, uint8, (H, W)), qtable (quantisation steps clipped
    to 255, uint8, (8, 8)), dct_obstacle (why the image was transcoded, empty if it was not)

    Args:
        backend: ``'jpeglib'`` or ``'jpegio'``; both give the same numbers.
        transcode_unreadable: Transcode a JPEG whose pixels were decoded but whose coefficients
            cannot be read. Otherwise it is refused: nothing broken is trained on.
    """

    def __init__(self, backend: str = 'jpeglib', transcode_unreadable: bool = False) -> None:
        self.backend = backend
        self.transcode_unreadable = transcode_unreadable

    def transform(self, results: dict) -> dict:
        """Raises ``ValueError`` when a transform changed the pixels since the JPEG was read."""
        if 'img_crc' not in results and results.get('img_path', '') is None:
            adopt(results)
        check(
            results,
            'ExtractDCT',
            'put mmomni.RandomJPEGCompress after the last transform that changes pixels',
        )
        luma = self._luma_of(results)
        height, width = results['img'].shape[:2]
        results['dct'] = magnitude(luma.coefficients[:height, :width])
        results['qtable'] = luma.table.clip(max=255).astype(np.uint8)
        return results

    def _luma_of(self, results: dict) -> Luma:
        """Of the file, or else of the pixels, which ``dct_source`` and ``dct_obstacle`` say."""
        data, name = results['img_bytes'], results.get('img_path', 'image')
        results['dct_obstacle'] = obstacle_to_luma(data)  # no bytes: an array, never a file
        if not results['dct_obstacle']:
            try:
                return self._luma_of_file(data, name, results['img'].shape[:2])
            except ImageReadError as error:
                if not self.transcode_unreadable:
                    raise
                cause = error.__cause__ or 'of another size than its pixels'
                results['dct_obstacle'] = f'a JPEG whose coefficients cannot be read ({cause})'
        results['dct_source'] = 'transcoded'
        return read_luma(encode(results['img'], 100, '4:4:4', name, 'bgr'), self.backend, name)

    def _luma_of_file(self, data: bytes, name: str, shape: tuple[int, ...]) -> Luma:
        luma = read_luma(data, self.backend, name)
        if luma.coefficients.shape[0] < shape[0] or luma.coefficients.shape[1] < shape[1]:
            raise ImageReadError(
                f'{name}: expected luma at full resolution '
                f'{tuple(shape)}, got {luma.coefficients.shape}; save the image again'
            )
        return luma
