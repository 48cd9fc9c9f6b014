import random
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmomni.jpeg import encode
from mmomni.registry import TRANSFORMS

from .pixels import sign


@TRANSFORMS.register_module()
class RandomJPEGCompress(BaseTransform):
    """Save the image as JPEG one or several times in memory and go on with the decoded pixels.

    Needed after every transform that changes pixels (resize, flip, colour): pixels and
    coefficients then come from the same stream again.

    Required Keys: img

    Modified Keys: img

    Added Keys: img_bytes (of the last save), img_crc, dct_source ('recompressed')

    Args:
        quality: Lowest and highest libjpeg quality, drawn uniformly for every save.
        times: Lowest and highest number of saves, drawn uniformly.
        subsampling: Chroma layouts to draw from.
    """

    def __init__(
        self,
        quality: tuple[int, int] = (70, 100),
        times: tuple[int, int] = (1, 3),
        subsampling: Sequence[str] = ('4:4:4', '4:2:0'),
    ) -> None:
        if not 1 <= quality[0] <= quality[1] <= 100:
            raise ValueError(f'quality must be 1 <= lowest <= highest <= 100, got {quality}')
        if not 1 <= times[0] <= times[1]:
            raise ValueError(f'times must be 1 <= lowest <= highest, got {times}')
        self.quality = quality
        self.times = times
        self.subsampling = subsampling

    def transform(self, results: dict) -> dict:
        """Replace pixels and bytes by those of the last save."""
        image = results['img']
        for _ in range(random.randint(*self.times)):
            quality, subsampling = random.randint(*self.quality), random.choice(self.subsampling)
            rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            data = encode(rgb, quality, subsampling, results.get('img_path', 'image'))
            # Of streams known to be whole, OpenCV makes the same pixels as Pillow, twice as fast.
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        results['img'] = image
        results['img_bytes'] = data
        results['dct_source'] = 'recompressed'
        sign(results)
        return results
