from collections.abc import Sequence

import numpy as np
import torch
from mmengine.structures import InstanceData

from mmomni.datasets.host import PackSegInputs
from mmomni.jpeg.planes import five_planes
from mmomni.registry import TRANSFORMS
from mmomni.utils.arrays import unmirrored

from .pixels import check

META_KEYS = (
    'img_path', 'seg_map_path', 'ori_shape', 'img_shape', 'pad_shape', 'scale_factor', 'flip',
    'flip_direction', 'reduce_zero_label', 'dataset_name', 'domain', 'dct_source', 'sample_idx',
)  # fmt: skip


@TRANSFORMS.register_module()
class PackManipulationInputs(PackSegInputs):
    """Pack a sample into the five planes that travel through the network as one image.

    Planes 0-2 RGB, plane 3 ``|q|`` (0..20), plane 4 the quantisation step of that pixel's
    frequency (the 8x8 table tiled); ``uint8``, (5, H, W). Boxes become
    ``data_sample.gt_instances`` with one class, 0.

    Required Keys: img, img_crc, dct, qtable; optional: gt_seg_map, gt_bboxes

    Args:
        meta_keys: Keys to keep in the data sample's meta data.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        super().__init__(meta_keys)

    def transform(self, results: dict) -> dict:
        """Raises ``ValueError`` when planes differ in size or pixels changed since extraction."""
        sample = dict(results)
        if 'gt_seg_map' in results:
            sample['gt_seg_map'] = self._mask(results)
        sample['img'] = self._planes(results)
        packed = super().transform(sample)
        if 'gt_bboxes' in results:
            boxes = torch.from_numpy(results['gt_bboxes'])
            labels = torch.zeros(len(boxes), dtype=torch.long)
            packed['data_samples'].gt_instances = InstanceData(bboxes=boxes, labels=labels)
        return packed

    @staticmethod
    def _mask(results: dict) -> np.ndarray:
        mask = unmirrored(results['gt_seg_map'])
        ignores = 'mask_rule' in results and results['mask_rule'].ignore
        if not ignores and (mask == 255).any() and not (mask == 1).any():
            raise ValueError(
                f'{results.get("img_path", "image")}: the mask holds 255, which mmseg ignores, and '
                'no 1, which is "tampered"; load masks with mmomni.LoadManipulationMask'
            )
        return mask

    @staticmethod
    def _planes(results: dict) -> np.ndarray:
        if 'dct' not in results:
            raise ValueError('PackManipulationInputs needs mmomni.ExtractDCT in the pipeline')
        keys = ('img', 'dct', 'gt_seg_map')
        sizes = {key: results[key].shape[:2] for key in keys if key in results}
        resized = 'scale_factor' in results
        if resized and sizes.get('gt_seg_map') == tuple(results['ori_shape']):
            del sizes['gt_seg_map']  # in testing the mask may stay at the original size
        if len(set(sizes.values())) > 1:
            raise ValueError(
                f'{results.get("img_path", "image")}: planes differ in size, {sizes}. A transform '
                'between mmomni.ExtractDCT and PackManipulationInputs resized or cropped some of '
                'them: resize before mmomni.RandomJPEGCompress and ExtractDCT, crop after '
                'ExtractDCT only with mmomni.AlignedRandomCrop'
            )
        check(
            results,
            'PackManipulationInputs',
            'only mmomni.AlignedRandomCrop may stand between mmomni.ExtractDCT and packing',
        )
        planes = five_planes(results['img'], results['dct'], results['qtable'])
        return planes.transpose(1, 2, 0)  # a view as mmseg wants it; packing it copies nothing
