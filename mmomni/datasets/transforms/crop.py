import random
from typing import ClassVar

import numpy as np
from mmcv.transforms import BaseTransform

from mmomni.registry import TRANSFORMS

from .pixels import check, sign

BLOCK = 8
REMEDY = 'change pixels before mmomni.ExtractDCT, and put mmomni.RandomJPEGCompress between the two'


class _RandomCrop(BaseTransform):
    """One random window for all maps of a sample; ``step`` is the grid that it starts on."""

    step: ClassVar[int]
    maps: ClassVar[tuple[str, ...]]

    def __init__(self, crop_size: int | tuple[int, int], tampered_prob: float = 0.0) -> None:
        crop_size = (crop_size, crop_size) if isinstance(crop_size, int) else crop_size
        if any(side <= 0 or side % self.step for side in crop_size):
            nearest = tuple(max(self.step, round(n / self.step) * self.step) for n in crop_size)
            grid = f' multiples of {BLOCK}, the JPEG block size' if self.step == BLOCK else ''
            raise ValueError(
                f'crop_size must be positive{grid}, got {tuple(crop_size)}; use {nearest}'
            )
        if not 0 <= tampered_prob <= 1:
            raise ValueError(f'expected tampered_prob in [0, 1], got {tampered_prob}')
        self.crop_size = crop_size
        self.tampered_prob = tampered_prob

    def transform(self, results: dict) -> dict:
        """Raises ``ValueError`` when a window with tampering is wanted and there is no mask."""
        window = self._window(results)
        for key in (*self.maps, *results.get('seg_fields', [])):
            results[key] = results[key][window]
        results['img_shape'] = results['img'].shape[:2]
        return results

    def _window(self, results: dict) -> tuple[slice, slice]:
        size = results['img'].shape[:2]
        held: tuple[int, int] | None = None
        # No draw where nothing is chosen: runs of configs without it stay what they were.
        if self.tampered_prob and random.random() < self.tampered_prob:
            held = self._tampered_pixel(results, size)
        rows, columns = (
            self._interval(full, wanted, None if held is None else held[axis])
            for axis, (full, wanted) in enumerate(zip(size, self.crop_size, strict=True))
        )
        return rows, columns

    def _tampered_pixel(self, results: dict, size: tuple[int, int]) -> tuple[int, int] | None:
        """A random one of those that windows reach, row and column; ``None`` without any."""
        if 'gt_seg_map' not in results:
            raise ValueError(
                f'{type(self).__name__}(tampered_prob={self.tampered_prob}) needs a mask, put '
                'mmomni.LoadManipulationMask before it'
            )
        height, width = (
            self._last_start(*sides) + sides[1] for sides in zip(size, self.crop_size, strict=True)
        )
        reached = results['gt_seg_map'][:height, :width]
        pixels = np.flatnonzero(reached == 1)
        if not len(pixels):
            return None
        row, column = divmod(int(pixels[random.randrange(len(pixels))]), reached.shape[1])
        return row, column

    def _interval(self, full: int, wanted: int, held: int | None) -> slice:
        """A random interval on the grid, one that contains the pixel ``held`` if there is one."""
        first, last = 0, self._last_start(full, wanted)
        if held is not None:
            first, last = max(0, held - wanted + 1), min(held, last)
        start = self.step * random.randint(-(-first // self.step), last // self.step)
        return slice(start, start + wanted)

    def _last_start(self, full: int, wanted: int) -> int:
        return max(0, full - wanted) // self.step * self.step


@TRANSFORMS.register_module()
class AlignedRandomCrop(_RandomCrop):
    """Cut the same random window from image, mask and coefficients, on the JPEG block grid.

    The window starts at multiples of 8, so that every pixel keeps its place in its block.
    Smaller images are kept whole (the data preprocessor pads them).

    Required Keys: img, dct, img_crc, seg_fields; with ``tampered_prob``: gt_seg_map

    Modified Keys: img, dct, img_crc, img_shape, every map of seg_fields

    Args:
        crop_size: Height and width in pixels (one number for both), multiples of 8.
        tampered_prob: Probability of a window that holds a randomly chosen tampered pixel; all
            others, and those of authentic images, are uniformly random.
    """

    step = BLOCK
    maps = ('img', 'dct')

    def transform(self, results: dict) -> dict:
        """Raises ``ValueError`` when the coefficients are missing or no longer the image's."""
        if 'dct' not in results:
            raise ValueError('AlignedRandomCrop must come after mmomni.ExtractDCT')
        check(results, 'AlignedRandomCrop', REMEDY)
        super().transform(results)
        sign(results)
        return results


@TRANSFORMS.register_module()
class FreeRandomCrop(_RandomCrop):
    """Cut the same random window from image and mask, anywhere: it ends the JPEG history.

    :class:`RandomJPEGCompress` makes a new one. Without ``tampered_prob`` windows are as those of
    mmseg's ``RandomCrop``. Smaller images are kept whole (the data preprocessor pads them).

    Required Keys: img, seg_fields; with ``tampered_prob``: gt_seg_map

    Modified Keys: img, img_shape, every map of seg_fields

    Args:
        crop_size: Height and width in pixels (one number for both).
        tampered_prob: As of :class:`AlignedRandomCrop`.
    """

    step = 1
    maps = ('img',)
