import random

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmomni.jpeg import decode, encode
from mmomni.registry import TRANSFORMS

from .jpeg import save_as_jpeg
from .pixels import sign
from .random_regions import random_regions, refuse_tampered

SUBSAMPLING = ('4:4:4', '4:2:0')
BLOCK = 8


@TRANSFORMS.register_module()
class RandomLocalHistory(BaseTransform):
    """Give regions of an authentic image another JPEG history than the rest: labels for free.

    ::

        rest     pixels ─► JPEG q1 ─────────────┐
        regions  pixels, or JPEG q1 off the grid ┴─► JPEG q2

    So blocks of the rest are compressed twice on one grid, those of the regions once: the task that
    CAT-Net (Kwon et al., IJCV 2022) trains its frequency stream on first. Nothing but the
    coefficients tells them apart.

    Required Keys: img, gt_seg_map

    Modified Keys: img, gt_seg_map (1 in the regions)

    Added Keys: img_bytes (of the last save), img_crc, dct_source ('recompressed')

    Args:
        first_quality: Lowest and highest libjpeg quality of q1, drawn uniformly.
        second_quality: The same of q2.

    Raises:
        ValueError: A range of qualities is none, or the image is tampered already.
    """

    def __init__(
        self, first_quality: tuple[int, int] = (50, 95), second_quality: tuple[int, int] = (70, 100)
    ) -> None:
        for low, high in (first_quality, second_quality):
            if not 1 <= low <= high <= 100:
                raise ValueError(
                    f'a range of JPEG qualities must satisfy 1 <= low <= high <= 100, got '
                    f'{low} to {high}'
                )
        self.first_quality = first_quality
        self.second_quality = second_quality

    def transform(self, results: dict) -> dict:
        """Replace pixels, bytes and mask."""
        name, image = results.get('img_path', 'image'), results['img']
        refuse_tampered(results, type(self).__name__)
        mask = random_regions(*image.shape[:2])
        first, subsampling = random.randint(*self.first_quality), random.choice(SUBSAMPLING)
        rest = _saved(image, first, subsampling, name)
        other = image if random.random() < 0.5 else _off_grid(image, first, subsampling, name)
        results['img'] = np.where(mask[..., None] == 1, other, rest)
        results['gt_seg_map'] = mask
        save_as_jpeg(results, random.randint(*self.second_quality), random.choice(SUBSAMPLING))
        sign(results)
        return results


def _saved(image: np.ndarray, quality: int, subsampling: str, name: str) -> np.ndarray:
    return decode(encode(image, quality, subsampling, name, 'bgr'), name, 'bgr')


def _off_grid(image: np.ndarray, quality: int, subsampling: str, name: str) -> np.ndarray:
    """Saved with blocks that begin 1 to 7 pixels further up and left."""
    y, x = random.randint(1, BLOCK - 1), random.randint(1, BLOCK - 1)
    padded = cv2.copyMakeBorder(image, y, 0, x, 0, cv2.BORDER_REFLECT_101)
    return _saved(padded, quality, subsampling, name)[y:, x:]
