import random

from mmcv.transforms import BaseTransform

from mmomni.registry import TRANSFORMS

from .pixels import check, sign

BLOCK = 8
REMEDY = (
    'change pixels before mmomni.ExtractDCT, and put mmomni.RandomJPEGCompress between the two'
)


@TRANSFORMS.register_module()
class AlignedRandomCrop(BaseTransform):
    """Cut the same random window from image, mask and coefficients, on the JPEG block grid.

    The window starts at multiples of 8, so that every pixel keeps its place in its block.
    Smaller images are kept whole (the data preprocessor pads them).

    Required Keys: img, dct, img_crc, seg_fields

    Modified Keys: img, dct, img_crc, img_shape, every map of seg_fields

    Args:
        crop_size: Height and width in pixels (one number for both), multiples of 8.
    """

    def __init__(self, crop_size: int | tuple[int, int]) -> None:
        crop_size = (crop_size, crop_size) if isinstance(crop_size, int) else crop_size
        if any(side <= 0 or side % BLOCK for side in crop_size):
            nearest = tuple(max(BLOCK, round(side / BLOCK) * BLOCK) for side in crop_size)
            raise ValueError(
                f'crop_size must be positive multiples of {BLOCK}, the JPEG block size, got '
                f'{tuple(crop_size)}; use {nearest}'
            )
        self.crop_size = crop_size

    def transform(self, results: dict) -> dict:
        """Raises ``ValueError`` when the coefficients are missing or no longer the image's."""
        if 'dct' not in results:
            raise ValueError('AlignedRandomCrop must come after mmomni.ExtractDCT')
        check(results, 'AlignedRandomCrop', REMEDY)
        window = tuple(
            self._interval(full, wanted)
            for full, wanted in zip(results['img'].shape[:2], self.crop_size, strict=True)
        )
        for key in ('img', 'dct', *results.get('seg_fields', [])):
            results[key] = results[key][window]
        results['img_shape'] = results['img'].shape[:2]
        sign(results)
        return results

    @staticmethod
    def _interval(full: int, wanted: int) -> slice:
        start = BLOCK * random.randint(0, max(0, full - wanted) // BLOCK)
        return slice(start, start + wanted)
