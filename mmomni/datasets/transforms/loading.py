import os

import numpy as np
from mmcv.transforms import BaseTransform

from mmomni.datasets.lmdb_files import DatabaseError
from mmomni.datasets.mask_rules import GENERAL_RULE
from mmomni.datasets.masks import mask_values
from mmomni.datasets.stored_files import read_bytes
from mmomni.jpeg import ImageReadError
from mmomni.jpeg.arrays import bgr_of
from mmomni.jpeg.damage.integrity import decode_whole
from mmomni.registry import TRANSFORMS

from .pixels import sign

INFERENCER = (
    'mmomni.apis.ManipulationInferencer takes files, folders, globs, bytes, open files, arrays and '
    'images of Pillow'
)


def is_without_file(results: dict) -> bool:
    """Whether an image comes as an array, as from the inferencers of the host."""
    return 'img' in results and results.get('img_path') is None


def adopt(results: dict) -> dict:
    """Take an array for an image without a file, and so without a history."""
    results['img'] = bgr_of(results['img'])
    results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
    results.update(img_path=None, img_bytes=b'', dct_source='file')
    sign(results)
    return results


class _Loading(BaseTransform):
    """Reads files of any storage backend of mmengine."""

    def __init__(self, backend_args: dict | None = None) -> None:
        self.backend_args = backend_args

    def read(self, path: str) -> bytes:
        """All bytes of a file.

        Raises:
            ImageReadError: There is no such file, it cannot be read or is beyond a limit of
                :mod:`mmomni.jpeg.limits`.
            DatabaseError: It is in an LMDB that is cut, of which no other can be relied on.
        """
        try:
            return read_bytes(path, self.backend_args)
        except DatabaseError:
            raise
        except OSError as error:
            raise ImageReadError(
                f'{path}: expected an image file, got {type(error).__name__} ({error}); check '
                'data_root, data_prefix and the list file'
            ) from error


@TRANSFORMS.register_module()
class LoadOriginalImage(_Loading):
    """Load an image and keep the file's own bytes, the carrier of its compression history.

    EXIF orientation is ignored: a rotated image would match neither its DCT coefficients nor
    its mask. Files that are not whole are refused, also a JPEG that lacks only its last two bytes,
    and JPEGs and TIFFs whose pixels were made up in decoding (prediction examines these with a
    note).

    Required Keys: img_path; or, of an image without a file, img (BGR uint8, (H, W, 3))

    Added Keys: img (BGR uint8, (H, W, 3)), img_bytes, img_crc, dct_source, img_shape, ori_shape

    Args:
        backend_args: Storage backend of :mod:`mmengine.fileio`.
    """

    def transform(self, results: dict) -> dict:
        """Raises :class:`~mmomni.jpeg.ImageReadError` for a missing or broken file."""
        if is_without_file(results):
            return adopt(results)
        path = results['img_path']
        if not isinstance(path, str | os.PathLike):
            raise TypeError(
                'expected img_path, the path of an image file, or img, an array (BGR uint8), got '
                f'{type(path).__name__}; {INFERENCER}'
            )
        path = str(path)
        results['img_bytes'] = self.read(path)
        results['img'] = decode_whole(results['img_bytes'], path, 'bgr')
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        results['dct_source'] = 'file'
        sign(results)
        return results


@TRANSFORMS.register_module()
class LoadManipulationMask(_Loading):
    """Load a ground-truth mask as 1 = tampered, 0 = authentic, 255 = not counted.

    :func:`mmomni.datasets.masks.mask_values` says what is tampered in any file. An image whose
    ``seg_map_path`` is ``None`` is authentic; without that key (inference) nothing is loaded.

    Required Keys: ori_shape; with a mask or without a forgery: seg_map_path, seg_fields; where the
    data set has one: mask_rule

    Added Keys: gt_seg_map (uint8, (H, W))

    Args:
        backend_args: Storage backend of :mod:`mmengine.fileio`.
    """

    def transform(self, results: dict) -> dict:
        """Raises :class:`~mmomni.jpeg.ImageReadError` for a mask that is none of this image."""
        if 'seg_map_path' not in results:
            return results
        path = results['seg_map_path']
        if path is None:
            mask = np.zeros(results['ori_shape'], np.uint8)
        else:
            mask = self._read(path, results)
        if mask.shape != tuple(results['ori_shape']):
            raise ImageReadError(
                f'{path}: expected a mask of (height, width) {tuple(results["ori_shape"])}, the '
                f'size of {results["img_path"]}, got {mask.shape}; check the pairing of images '
                'and masks, or resize the mask with nearest-neighbour interpolation'
            )
        results['gt_seg_map'] = mask
        results['seg_fields'].append('gt_seg_map')
        return results

    def _read(self, path: str, results: dict) -> np.ndarray:
        data = self.read(path)
        if data == results.get('img_bytes'):
            raise ImageReadError(
                f'{path}: expected a mask, got the bytes of {results["img_path"]} itself; check '
                'the pairing of images and masks'
            )
        return mask_values(data, path, results.get('mask_rule', GENERAL_RULE)).labels()
