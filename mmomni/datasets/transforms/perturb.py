"""What may happen to an image on its way to whoever examines it (robustness tests)."""

import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmomni.registry import TRANSFORMS

from .jpeg import save_as_jpeg
from .pixels import sign

LARGEST_KERNEL = 31
SHARED = 0.75
"""Scale of an image that was shared: services shrink what they pass on, and save it again. By how
much depends on service and image; this is an assumption."""
RESIZING = ('resize', 'shared')
"""Kinds after which the mask has another size."""


def blur(image: np.ndarray, kernel: int) -> np.ndarray:
    """Gaussian blur, sigma ``0.3 ((kernel - 1) / 2 - 1) + 0.8`` as OpenCV derives it."""
    return cv2.GaussianBlur(image, (kernel, kernel), sigmaX=0)


def add_noise(image: np.ndarray, variance: float, name: str) -> np.ndarray:
    """White Gaussian noise of its own in each channel, rounded and clipped to ``uint8`` (H, W, 3).

    The variance is in squared grey levels of 0..255. The name seeds the noise, so that every run
    sees the same, and all variances one pattern.
    """
    noise = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(
        image.shape, dtype=np.float32
    )
    return np.rint(image + variance**0.5 * noise).clip(0, 255).astype(np.uint8)


def _resized(array: np.ndarray, scale: float, interpolation: int) -> np.ndarray:
    height, width = (max(1, round(side * scale)) for side in array.shape[:2])
    return cv2.resize(array, (width, height), interpolation=interpolation)


_QUALITY = (lambda value: value in range(1, 101), 'a whole libjpeg quality of 1 to 100')
VALID: dict[str, tuple[Callable[[float], bool], str]] = dict(
    jpeg=_QUALITY,
    blur=(
        lambda value: value in range(1, LARGEST_KERNEL + 1, 2),
        f'an odd kernel size of 1 to {LARGEST_KERNEL} pixels',
    ),
    noise=(lambda value: value >= 0, 'a variance of at least 0, in squared grey levels of 0..255'),
    resize=(lambda value: 0 < value <= 4, 'a scale above 0, at most 4'),
    shared=_QUALITY,
)
"""Of each kind whether a value makes sense, and which values would."""


@TRANSFORMS.register_module()
class Perturb(BaseTransform):
    """Change an image as if its file had been processed before anybody examined it.

    ========== ==================================== ============================================
    kind       value                                the file that reaches the examiner
    ========== ==================================== ============================================
    ``jpeg``   libjpeg quality                      a JPEG, chroma 4:2:0
    ``blur``   kernel of a Gaussian in pixels, odd  lossless
    ``noise``  variance of Gaussian noise, squared  lossless
               grey levels of 0..255
    ``resize`` scale of both sides, bilinear        lossless, as a screenshot is; the mask follows,
                                                    nearest neighbour
    ``shared`` libjpeg quality                      a JPEG, chroma 4:2:0, at :data:`SHARED` of the
                                                    size, as social media make it; the mask follows
    ========== ==================================== ============================================

    Goes right after :class:`LoadOriginalImage` and :class:`LoadManipulationMask`, at the
    original resolution. Coefficients are those of the processed file: :class:`ExtractDCT` reads
    them from the saved JPEG, or, as a lossless file has none, transcodes it. A resized image
    takes the place of the original: it is what the prediction is scored at.

    Required Keys: img, img_path; gt_seg_map where there is a mask

    Modified Keys: img, img_bytes, img_crc, dct_source (``'recompressed'`` or ``'file'``),
    img_shape, ori_shape, gt_seg_map

    Args:
        kind: A name of the table.
        value: How much.

    Raises:
        ValueError: There is no such kind, or the value makes no sense for it.
    """

    def __init__(self, kind: str, value: float) -> None:
        if kind not in VALID:
            raise ValueError(f'kind must be one of {tuple(VALID)}, got {kind!r}')
        is_valid, expected = VALID[kind]
        if not is_valid(value):
            raise ValueError(f'{kind}: expected {expected}, got {value}')
        self.kind = kind
        self.value = value

    def transform(self, results: dict) -> dict:
        """Replace pixels, mask and bytes by those of the processed file."""
        results['img'] = self._processed(results)
        if self.kind in ('jpeg', 'shared'):
            save_as_jpeg(results, int(self.value), '4:2:0')
        else:
            # BMP, because it costs nothing: all that matters is that the file is lossless.
            results['img_bytes'] = cv2.imencode('.bmp', results['img'])[1].tobytes()
            results['dct_source'] = 'file'
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        if self.kind in RESIZING and 'gt_seg_map' in results:
            # Of the two nearest neighbours of OpenCV, the one on the grid of INTER_LINEAR.
            results['gt_seg_map'] = _resized(
                results['gt_seg_map'], self._scale, cv2.INTER_NEAREST_EXACT
            )
        sign(results)
        return results

    @property
    def _scale(self) -> float:
        return SHARED if self.kind == 'shared' else self.value

    def _processed(self, results: dict) -> np.ndarray:
        image = results['img']
        if self.kind == 'jpeg':
            return image
        if self.kind == 'blur':
            return blur(image, int(self.value))
        if self.kind == 'noise':
            # By its name alone, so that moving a data set changes no result.
            return add_noise(image, self.value, Path(results['img_path']).name)
        return _resized(image, self._scale, cv2.INTER_LINEAR)

    def __repr__(self) -> str:
        return f'Perturb({self.kind!r}, {self.value})'
