import random
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmomni.datasets.lists import authentic_of_list
from mmomni.registry import TRANSFORMS
from mmomni.utils.regions import blend, filled, place, random_contour, softened

from .loading import LoadOriginalImage
from .random_regions import refuse_tampered

AREA = (0.02, 0.4)
"""Smallest and largest share of the image that is pasted."""
RESIZED, FACTOR = 0.4, (0.6, 1.6)
"""How often what is pasted from another image is resized, and by how much."""
TURNED = (2, 178)
"""Degrees by which a copy within an image is turned, if it is."""
TRIES = 5


@TRANSFORMS.register_module()
class RandomPaste(BaseTransform):
    """Paste a part of another authentic image, or of the image itself: labels for free.

    Each iteration sees forgeries that no other has seen, of all pairs of images, whose cameras and
    histories are real ones. A copy within the image is resized or turned, for nothing else tells it
    from its surroundings but its border; it is the copy that is labelled, not where it comes from.

    Required Keys: img, gt_seg_map

    Modified Keys: img, gt_seg_map (1 where something was pasted)

    Args:
        ann_file: List of the other images, as a dataset's: lines ``image -`` or ``image``.
        data_root: What its paths are relative to.
        copy_prob: Probability of a copy within the image.
        authentic_prob: Probability that nothing is pasted.

    Raises:
        FileNotFoundError: There is no list, or none of its images; with the first image.
        ValueError: A probability is none; with the first image, that the list names no image, or
            forged ones, or that this one is forged.
    """

    def __init__(
        self, ann_file: str, data_root: str = '', copy_prob: float = 0.25,
        authentic_prob: float = 0.2,
    ) -> None:  # fmt: skip
        for name, value in (('copy_prob', copy_prob), ('authentic_prob', authentic_prob)):
            if not 0 <= value <= 1:
                raise ValueError(f'expected {name} in [0, 1], got {value}')
        self.copy_prob = copy_prob
        self.authentic_prob = authentic_prob
        self.ann_file = Path(data_root, ann_file)
        self.data_root = data_root
        self._load = LoadOriginalImage()

    @cached_property
    def donors(self) -> list[str]:
        """Read with the first image: a config is built where its data are not, too."""
        return authentic_of_list(self.ann_file, self.data_root)

    def transform(self, results: dict) -> dict:
        """Replace pixels and mask."""
        refuse_tampered(results, type(self).__name__)
        if random.random() < self.authentic_prob:
            return results
        image = results['img']
        # seeded from `random`, as the draws of all transforms here are
        rng = np.random.default_rng(random.getrandbits(64))
        mask = _region(image.shape[:2], rng)
        make = _copied if rng.random() < self.copy_prob else self._of_another
        matte = softened(mask, rng)
        results['img'] = blend(image, make(image, rng), matte)
        results['gt_seg_map'] = (matte > 0.5).astype(np.uint8)
        return results

    def _of_another(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A window of another image, as large as this one."""
        path = self.donors[rng.integers(len(self.donors))]
        donor = self._load(dict(img_path=path))['img']
        if rng.random() < RESIZED:
            factor = rng.uniform(*FACTOR)
            way = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
            donor = cv2.resize(donor, None, fx=factor, fy=factor, interpolation=way)
        height, width = image.shape[:2]
        short = [max(0, side - n) for side, n in zip((height, width), donor.shape[:2], strict=True)]
        donor = cv2.copyMakeBorder(donor, 0, short[0], 0, short[1], cv2.BORDER_REFLECT)
        y, x = (
            int(rng.integers(n - side + 1))
            for n, side in zip(donor.shape[:2], (height, width), strict=True)
        )
        return donor[y : y + height, x : x + width]


def _region(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Where to paste, ``bool`` (H, W): a random shape, or a rectangle where none has fitted."""
    height, width = size
    for _ in range(TRIES):
        contour = random_contour(size, rng, AREA)
        if contour is not None:
            y, x = place(contour, size, rng)
            return filled(contour + np.array([x, y]), size)
    mask = np.zeros(size, bool)
    mask[height // 4 : -(-height // 2), width // 4 : -(-width // 2)] = True
    return mask


def _copied(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image itself, resized or turned or both, and moved."""
    height, width = image.shape[:2]
    way = rng.integers(3)
    factor = rng.uniform(*FACTOR) if way != 0 else 1.0
    angle = rng.uniform(*TURNED) * rng.choice([-1, 1]) if way != 1 else 0.0
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, factor)
    matrix[:, 2] = matrix[:, 2] + rng.uniform(-0.5, 0.5, 2) * (width, height)
    return cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
