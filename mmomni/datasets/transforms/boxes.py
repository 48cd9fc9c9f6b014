import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmomni.registry import TRANSFORMS
from mmomni.utils.arrays import unmirrored


@TRANSFORMS.register_module()
class MaskToBoxes(BaseTransform):
    """Bounding boxes of the mask's connected regions, the targets of the box supervision.

    Regions are 8-connected (paper, section 3.2: "bounding boxes of the mask labels' connected
    regions"). Boxes with a side under ``min_size`` pixels are left out; the mask stays as it is.

    Required Keys: gt_seg_map

    Added Keys: gt_bboxes (float32, (N, 4): x1, y1, x2, y2 in pixels, right and bottom exclusive)

    Args:
        min_size: Shortest side of a box worth detecting, in pixels.
    """

    def __init__(self, min_size: int = 4) -> None:
        self.min_size = min_size

    def transform(self, results: dict) -> dict:
        """Only value 1 counts as tampered; padding (255) does not."""
        left, top, width, height = _regions(unmirrored(results['gt_seg_map']))
        boxes = np.stack([left, top, left + width, top + height], axis=1)
        keep = np.minimum(width, height) >= self.min_size
        results['gt_bboxes'] = boxes[keep].astype(np.float32)
        return results


def _regions(mask: np.ndarray) -> np.ndarray:
    """Left, top, width and height (rows) of the 8-connected regions (columns) of value 1."""
    if not mask.any():  # the usual mask of an authentic image; looking for regions takes a while
        return np.empty((4, 0), np.int32)
    tampered = (mask == 1).astype(np.uint8)
    return cv2.connectedComponentsWithStats(tampered, connectivity=8)[2][1:, :4].T
