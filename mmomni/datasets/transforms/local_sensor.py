import math
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
"""OpenCV's names of ways to demosaic: bilinear, edge-aware, variable number of gradients."""
# Before, OpenCV put what it makes of two rows into the two above.
VNG_IS_MOVED = tuple(map(int, cv2.__version__.split('.')[:2])) < (4, 12)
SINGLE_SENSOR = 0.75
"""How often a camera sees one colour in each pixel; the others see three."""
PHOTONS = (400.0, 40_000.0)
"""How many photons a white pixel gets; its shot noise is their root."""
READ_NOISE = (0.0, 0.0015)
"""Standard deviation of what a sensor adds, as a share of white."""
SHARPENED, AMOUNT = 0.5, (0.0, 1.2)
"""How often a picture is sharpened, and by how much."""
RESIZED, FACTOR = 0.5, (0.6, 1.6)
"""How often a picture is resized after it was taken, and by how much."""

WHITE = 255
LEVELS = 4096
"""So many steps of light are told apart when it is encoded again."""


def _light(encoded: np.ndarray) -> np.ndarray:
    """Light, in shares of white, of sRGB values in 0..1."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _encoded(light: np.ndarray) -> np.ndarray:
    """The inverse of :func:`_light`."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


LIGHT = _light(np.arange(WHITE + 1) / WHITE).astype(np.float32)
ENCODED = np.rint(WHITE * _encoded(np.arange(LEVELS + 1) / LEVELS)).astype(np.uint8)


class Camera(NamedTuple):
    """How a picture came to be, but for JPEG.

    Attributes:
        mosaic: Colours of the first 2x2 pixels, row by row; ``None``: all three in each pixel.
        demosaicing: One of ``DEMOSAICING``; not used without a mosaic.
        photons: Of a white pixel.
        read: Standard deviation of what the sensor adds, as a share of white.
        sharpening: Amount of an unsharp mask.
        factor: The picture is resized by it in the end.
    """

    mosaic: str | None
    demosaicing: str
    photons: float
    read: float
    sharpening: float
    factor: float

    @classmethod
    def drawn(cls) -> 'Camera':
        """One of all that the ranges above allow; photons by their logarithm."""
        return cls(
            random.choice(MOSAICS) if random.random() < SINGLE_SENSOR else None,
            random.choice(DEMOSAICING),
            math.exp(random.uniform(*map(math.log, PHOTONS))),
            random.uniform(*READ_NOISE),
            random.uniform(*AMOUNT) if random.random() < SHARPENED else 0.0,
            random.uniform(*FACTOR) if random.random() < RESIZED else 1.0,
        )

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """What the camera makes of a clean image: ``uint8`` (H, W, 3), BGR, in and out."""
        height, width = image.shape[:2]
        if self.factor != 1:
            image = _resized(image, height / self.factor, width / self.factor)
        image = self._developed(self._exposed(image))
        if self.sharpening:
            soft = cv2.GaussianBlur(image, (0, 0), 1)
            image = cv2.addWeighted(image, 1 + self.sharpening, soft, -self.sharpening, 0)
        return _resized(image, height, width)

    def _exposed(self, image: np.ndarray) -> np.ndarray:
        """Noise grows with light; what is white has too much of it to show any."""
        light = LIGHT[image]
        deviation = np.sqrt(light / np.float32(self.photons) + np.float32(self.read**2))
        # seeded from `random`, as the draws of all transforms here are
        rng = np.random.default_rng(random.getrandbits(64))
        light += deviation * rng.standard_normal(image.shape, np.float32)
        noisy = ENCODED[np.rint(LEVELS * light.clip(0, 1)).astype(np.int16)]
        return np.where(image == WHITE, image, noisy)

    def _developed(self, image: np.ndarray) -> np.ndarray:
        """One colour of each pixel is kept, the others are interpolated."""
        if self.mosaic is None:
            return image
        raw = np.empty(image.shape[:2], np.uint8)
        for place, colour in enumerate(self.mosaic):
            pixels = np.s_[place // 2 :: 2, place % 2 :: 2]
            raw[pixels] = image[..., 'BGR'.index(colour)][pixels]
        if self.demosaicing == '_VNG' and VNG_IS_MOVED:
            raw = cv2.copyMakeBorder(raw, 2, 2, 0, 0, cv2.BORDER_REFLECT_101)
        code = getattr(cv2, f'COLOR_Bayer{self.mosaic}2BGR{self.demosaicing}')
        return cv2.cvtColor(raw, code)[: len(image)]


def _resized(image: np.ndarray, height: float, width: float) -> np.ndarray:
    size = max(LEAST_SIDE, round(width)), max(LEAST_SIDE, round(height))
    if size == image.shape[1::-1]:
        return image
    grows = size[0] > image.shape[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA)


@TRANSFORMS.register_module()
class RandomLocalSensor(BaseTransform):
    """Take regions of an authentic image with another camera than the rest: labels for free.

    ::

        image ─► shrunk ─┬─ rest     ─► noise, mosaic, sharpening, size of one camera ───┬─►
                         └─ regions  ─► those of another ───────────────────────────────┘

    Noise is that of photons and of reading them, added to light, before a picture is encoded. What
    tells the two cameras apart are pixels alone, as in a splice of pictures that never were JPEGs.
    Shrinking weakens what the image's own camera and its own compression left, the more the smaller
    it gets; both parts share the rest.

    Required Keys: img, gt_seg_map

    Modified Keys: img, img_shape, gt_seg_map (1 in the regions)

    Args:
        scale: Lowest and highest factor of the size, drawn uniformly.
        authentic_prob: Probability of one camera for all, and no region.

    Raises:
        ValueError: A value is out of its range, or the image is tampered already.
    """

    def __init__(
        self, scale: tuple[float, float] = (0.5, 0.8), authentic_prob: float = 0.2
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
        clean = _resized(results['img'], *(scale * side for side in results['img'].shape[:2]))
        height, width = clean.shape[:2]
        image, mask = Camera.drawn()(clean), np.zeros((height, width), np.uint8)
        if random.random() >= self.authentic_prob:
            mask = random_regions(height, width)
            image = np.where(mask[..., None] == 1, Camera.drawn()(clean), image)
        results.update(img=image, gt_seg_map=mask, img_shape=(height, width))
        return results
