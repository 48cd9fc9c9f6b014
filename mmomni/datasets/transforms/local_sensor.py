import random
from typing import NamedTuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmomni.registry import TRANSFORMS

from .random_regions import random_regions, refuse_tampered

LEAST_SIDE = 16
MOSAICS = ('RGGB', 'GRBG', 'BGGR', 'GBRG')
DEMOSAICING = ('', '_EA', '_VNG')
"""OpenCV's: bilinear, edge-aware, variable number of gradients."""
SINGLE_SENSOR = 0.75
"""How often a camera sees one colour in each pixel; the others see three."""
SHOT_NOISE = (0.0, 0.06)
"""Variance of the noise for each grey level of the image."""
READ_NOISE = (0.0, 3.0)
"""Standard deviation of the noise of black, in grey levels."""
SHARPENING = (0.0, 1.2)
RESIZED = 0.5
"""How often a picture is resized after it was taken, and by how much:"""
FACTOR = (0.6, 1.6)


class Camera(NamedTuple):
    """How a picture came to be, but for JPEG.

    Attributes:
        mosaic: Colours of the first 2x2 pixels, row by row; ``None``: all three in each pixel.
        demosaicing: One of ``DEMOSAICING``.
        shot: Variance of the noise for each grey level of the image.
        read: Standard deviation of the noise of black.
        sharpening: Amount of an unsharp mask.
        factor: The picture is resized by it in the end.
    """

    mosaic: str | None
    demosaicing: str
    shot: float
    read: float
    sharpening: float
    factor: float

    @classmethod
    def drawn(cls) -> 'Camera':
        """Any."""
        return cls(
            random.choice(MOSAICS) if random.random() < SINGLE_SENSOR else None,
            random.choice(DEMOSAICING),
            random.uniform(*SHOT_NOISE),
            random.uniform(*READ_NOISE),
            random.uniform(*SHARPENING) if random.random() < 0.5 else 0.0,
            random.uniform(*FACTOR) if random.random() < RESIZED else 1.0,
        )

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """What the camera makes of a clean image: ``uint8`` (H, W, 3), BGR, in and out."""
        height, width = image.shape[:2]
        if self.factor != 1:
            size = [max(LEAST_SIDE, round(side / self.factor)) for side in (width, height)]
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        image = self._developed(self._exposed(image))
        if self.sharpening:
            soft = cv2.GaussianBlur(image, (0, 0), 1)
            image = cv2.addWeighted(image, 1 + self.sharpening, soft, -self.sharpening, 0)
        if self.factor != 1:
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        return image

    def _exposed(self, image: np.ndarray) -> np.ndarray:
        deviation = np.sqrt(self.shot * image + np.float32(self.read**2), dtype=np.float32)
        noise = _generator().standard_normal(image.shape, np.float32)
        return np.rint(image + deviation * noise).clip(0, 255).astype(np.uint8)

    def _developed(self, image: np.ndarray) -> np.ndarray:
        """One colour of each pixel is kept, the others are interpolated."""
        if self.mosaic is None:
            return image
        raw = np.empty(image.shape[:2], np.uint8)
        for place, colour in enumerate(self.mosaic):
            pixels = np.s_[place // 2 :: 2, place % 2 :: 2]
            raw[pixels] = image[..., 'BGR'.index(colour)][pixels]
        return cv2.cvtColor(raw, getattr(cv2, f'COLOR_Bayer{self.mosaic}2BGR{self.demosaicing}'))


def _generator() -> np.random.Generator:
    """Seeded from ``random``, as all draws of the transforms are."""
    return np.random.default_rng(random.getrandbits(64))


@TRANSFORMS.register_module()
class RandomLocalSensor(BaseTransform):
    """Take regions of an authentic image with another camera than the rest: labels for free.

    ::

        image ─► shrunk ─┬─ rest     ─► noise, mosaic, sharpening, size of one camera ───┬─►
                         └─ regions  ─► those of another ───────────────────────────────┘

    What tells them apart are pixels alone, as in a splice of two pictures that never were JPEGs.
    Shrinking removes the image's own traces; without another one afterwards
    (:class:`RandomJPEGCompress`), it has none but those of the two cameras.

    Required Keys: img, gt_seg_map

    Modified Keys: img, img_shape, gt_seg_map (1 in the regions)

    Args:
        scale: Lowest and highest factor of the size, drawn uniformly.
        authentic_prob: Probability of one camera for all, and no region.

    Raises:
        ValueError: A value is out of its range, or the image is tampered already.
    """

    def __init__(
        self, scale: tuple[float, float] = (0.4, 0.8), authentic_prob: float = 0.2
    ) -> None:
        if not 0 < scale[0] <= scale[1] <= 1:
            raise ValueError(f'expected scale to satisfy 0 < low <= high <= 1, got {scale}')
        if not 0 <= authentic_prob <= 1:
            raise ValueError(f'expected authentic_prob in [0, 1], got {authentic_prob}')
        self.scale = scale
        self.authentic_prob = authentic_prob

    def transform(self, results: dict) -> dict:
        """Replace pixels and mask."""
        refuse_tampered(results, type(self).__name__)
        scale = random.uniform(*self.scale)
        height, width = (
            max(LEAST_SIDE, round(scale * side)) for side in results['img'].shape[:2]
        )
        clean = cv2.resize(results['img'], (width, height), interpolation=cv2.INTER_AREA)
        image, mask = Camera.drawn()(clean), np.zeros((height, width), np.uint8)
        if random.random() >= self.authentic_prob:
            mask = random_regions(height, width)
            image = np.where(mask[..., None] == 1, Camera.drawn()(clean), image)
        results.update(img=image, gt_seg_map=mask, img_shape=(height, width))
        return results
