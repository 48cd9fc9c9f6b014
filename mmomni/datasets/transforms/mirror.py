from typing import Literal

import numpy as np
from mmcv.transforms import BaseTransform

from mmomni.registry import TRANSFORMS

from .pixels import check, sign

BLOCK = 8
AXES = {'horizontal': 1, 'vertical': 0}


def mirrored_blocks(plane: np.ndarray, axis: int) -> np.ndarray:
    """Blocks of 8 in the opposite order along an axis, each as it was; ``uint8`` (8 m, 8 n)."""
    shape = list(plane.shape)
    shape[axis : axis + 1] = [shape[axis] // BLOCK, BLOCK]
    return np.flip(plane.reshape(shape), axis).reshape(plane.shape)


@TRANSFORMS.register_module()
class MirrorBlocks(BaseTransform):
    """The mirror image of a picture with the coefficients of its JPEG: a view for testing.

    The DCT of a mirrored block is that of the block with some signs changed, so ``|q|`` stays where
    it is within a block and the blocks change their order: the file's own history is kept, where a
    flip before a new save would end it. Sides that are no multiples of 8 are first filled up with
    zeros, as the data preprocessor does it: the view is larger at the right or at the bottom, which
    :class:`mmomni.ManipulationTTAModel` cuts off. Masks stay behind: predictions are mirrored back.

    Required Keys: img, dct, img_crc, ori_shape

    Modified Keys: img, dct, img_crc, img_shape, ori_shape

    Added Keys: flip, flip_direction

    Removed Keys: gt_seg_map

    Args:
        direction: ``'horizontal'``, ``'vertical'``, or ``None`` for the picture as it is.

    Raises:
        ValueError: There is no such direction; or a picture was resized to a side that is no
            multiple of 8.
    """

    def __init__(self, direction: Literal['horizontal', 'vertical'] | None = 'horizontal') -> None:
        if direction is not None and direction not in AXES:
            raise ValueError(f'expected one of {tuple(AXES)} or None, got {direction!r}')
        self.direction = direction

    def transform(self, results: dict) -> dict:
        """Raises ``ValueError`` without coefficients, or if they are no longer the image's."""
        results.update(flip=self.direction is not None, flip_direction=self.direction)
        if self.direction is None:
            return results
        if 'dct' not in results:
            raise ValueError('MirrorBlocks must come after mmomni.ExtractDCT')
        check(results, 'MirrorBlocks', 'put it right after mmomni.ExtractDCT')
        axis = AXES[self.direction]
        _check_size(results, axis)
        image, dct = (_filled_up(results[key], axis) for key in ('img', 'dct'))
        if dct.shape != results['dct'].shape:
            results['ori_shape'] = dct.shape
        results['img'] = np.ascontiguousarray(np.flip(image, axis))
        results['dct'] = mirrored_blocks(dct, axis)
        results['img_shape'] = dct.shape
        if results.pop('gt_seg_map', None) is not None:
            results['seg_fields'] = [key for key in results['seg_fields'] if key != 'gt_seg_map']
        sign(results)
        return results


def _check_size(results: dict, axis: int) -> None:
    """What is filled up of a resized picture would have no size in the original."""
    size, original = results['img'].shape[:2], tuple(results['ori_shape'])
    if size[axis] % BLOCK and size != original:
        raise ValueError(
            f'MirrorBlocks: expected a picture of its own size {original}, or resized to multiples '
            f'of {BLOCK}, got {size}'
        )


def _filled_up(plane: np.ndarray, axis: int) -> np.ndarray:
    width = [(0, 0)] * plane.ndim
    width[axis] = (0, -plane.shape[axis] % BLOCK)
    return np.pad(plane, width)
