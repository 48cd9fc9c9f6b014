import random
from collections.abc import Sequence

from mmcv.transforms import BaseTransform

from mmomni.jpeg import decode, encode
from mmomni.registry import TRANSFORMS

from .lowest_quality import LowestQuality
from .pixels import sign


def save_as_jpeg(results: dict, quality: int, subsampling: str) -> None:
    """Save ``results['img']`` in memory and go on with the decoded pixels, still to be signed."""
    name = results.get('img_path', 'image')
    results['img_bytes'] = encode(results['img'], quality, subsampling, name, 'bgr')
    results['img'] = decode(results['img_bytes'], name, 'bgr')
    results['dct_source'] = 'recompressed'


@TRANSFORMS.register_module()
class RandomJPEGCompress(BaseTransform):
    """Save the image as JPEG one or several times in memory and go on with the decoded pixels.

    Needed after every transform that changes pixels (resize, flip, colour): pixels and
    coefficients then come from the same stream again.

    Required Keys: img

    Modified Keys: img

    Added Keys: img_bytes (of the last save), img_crc, dct_source ('recompressed')

    Args:
        quality: Lowest and highest libjpeg quality, drawn uniformly for every save. The lowest may
            fall over training, ``dict(start=100, end=70, samples=...)``: see
            :class:`.lowest_quality.LowestQuality`.
        times: Lowest and highest number of saves, drawn uniformly.
        subsampling: Chroma layouts to draw from.
    """

    def __init__(
        self,
        quality: tuple[int | dict, int] = (70, 100),
        times: tuple[int, int] = (1, 3),
        subsampling: Sequence[str] = ('4:4:4', '4:2:0'),
    ) -> None:
        self.lowest_quality, self.highest_quality = LowestQuality.of(quality[0]), quality[1]
        if not self.lowest_quality.start <= self.highest_quality <= 100:
            raise ValueError(f'quality must be 1 <= lowest <= highest <= 100, got {quality}')
        if not 1 <= times[0] <= times[1]:
            raise ValueError(f'times must be 1 <= lowest <= highest, got {times}')
        self.times = times
        self.subsampling = subsampling

    def draw(self) -> list[tuple[int, str]]:
        """Quality and chroma layout of every save."""
        bounds = self.lowest_quality.present(), self.highest_quality
        return [
            (random.randint(*bounds), random.choice(self.subsampling))
            for _ in range(random.randint(*self.times))
        ]

    def transform(self, results: dict) -> dict:
        """Replace pixels and bytes by those of the last save."""
        for save in self.draw():
            save_as_jpeg(results, *save)
        sign(results)
        return results
