"""DocTamper's JPEG schedules.

Letters: ``a, b, c`` the quality factors of an image, oldest first (one to three of them).
"""

import random
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmomni.datasets.plain_pickles import read_plain
from mmomni.jpeg import decode, encode, read_luma
from mmomni.registry import TRANSFORMS

from .dct import magnitude
from .lowest_quality import LowestQuality
from .pixels import sign

MAX_FACTORS = 3
FFDN_LARGEST_STEP = 63


class Saved(NamedTuple):
    """What a schedule makes of a grey image.

    Attributes:
        coefficients: The JPEG whose luma coefficients the network gets.
        table_quality: The quality whose luma quantisation table is handed over with them.
        pixels: ``uint8`` (H, W).
        largest_step: Table entries are clipped here.
    """

    coefficients: bytes
    table_quality: int
    pixels: np.ndarray
    largest_step: int = 255


def _grey(data: bytes) -> np.ndarray:
    return decode(data)[..., 0]


def save_intended(grey: np.ndarray, factors: list[int]) -> Saved:
    """Saved with a, then b, then c; the pixels are one save behind."""
    for factor in factors[:-1]:
        grey = _grey(encode(grey, factor))
    last = encode(grey, factors[-1])
    return Saved(last, factors[-1], grey)


def save_official(grey: np.ndarray, factors: list[int]) -> Saved:
    """DTD's script as it executes: the first JPEG of the file, the table of the last."""
    first = encode(grey, factors[0])
    pixels = grey if len(factors) == 1 else _grey(first)
    return Saved(first, factors[-1], pixels)


def save_ffdn(grey: np.ndarray, factors: list[int]) -> Saved:
    """The first save for everything, its table clipped to 63."""
    first = encode(grey, factors[0])
    return Saved(first, factors[0], _grey(first), FFDN_LARGEST_STEP)


def save_last(grey: np.ndarray, factors: list[int]) -> Saved:
    """One save with the last factor for everything (ForensicHub)."""
    last = encode(grey, factors[-1])
    return Saved(last, factors[-1], _grey(last))


SCHEDULES = dict(intended=save_intended, official=save_official, ffdn=save_ffdn, last=save_last)


@TRANSFORMS.register_module()
class DocTamperJPEG(BaseTransform):
    """Compress a document the way DocTamper's evaluation does, in one of its four readings.

    ============ ============================== ==================== ==========================
    schedule     coefficients                   table handed over    pixels
    ============ ============================== ==================== ==========================
    ``intended`` after a, b, c                  c                    one save behind
    ``official`` a                              c                    decode(a); grey original
                                                                     if there is one factor
    ``ffdn``     a                              a, clipped to 63     decode(a)
    ``last``     one save with c                c                    decode(c)
    ============ ============================== ==================== ==========================

    The image is converted to grey first. Takes the place of :class:`ExtractDCT`: in ``intended``
    and ``official`` pixels, coefficients and table do not belong to one JPEG. Random changes
    (flips, crops) go before it; :class:`AlignedRandomCrop` may follow.

    Required Keys: img; record_index where factors come from a file

    Modified Keys: img

    Added Keys: dct (``|q|`` clipped to 0..20, uint8, (H, W)), qtable (uint8, (8, 8)), img_crc,
    dct_source (``'doctamper-<schedule>'``), quality_factors

    Removed Keys: img_bytes (no single JPEG describes the sample any more)

    Args:
        schedule: A name of the table above.
        factors: The official ``pks/<subset>_<lowest quality>.pk``, read when first needed. Default:
            one to three factors, a third each, uniform in [min_quality, 100].
        min_quality: Lowest random factor. It may fall over training,
            ``dict(start=100, end=75, samples=...)``: see :class:`.lowest_quality.LowestQuality`.
        backend: Reader of the coefficients, see :func:`mmomni.jpeg.read_luma`.
    """

    def __init__(
        self,
        schedule: str,
        factors: str | None = None,
        min_quality: int | dict = 75,
        backend: str = 'jpeglib',
    ) -> None:
        if schedule not in SCHEDULES:
            raise ValueError(f'schedule must be one of {tuple(SCHEDULES)}, got {schedule!r}')
        self.schedule = schedule
        self.factors = factors
        self.min_quality = LowestQuality.of(min_quality)
        self.backend = backend
        self._records: list[list[int]] | None = None

    def transform(self, results: dict) -> dict:
        """Raises ``ValueError`` where the factors of this sample cannot be told."""
        factors = self._random_factors() if self.factors is None else self._recorded(results)
        rgb = np.ascontiguousarray(results['img'][..., ::-1])
        saved = SCHEDULES[self.schedule](to_grey(rgb), factors)
        height, width = rgb.shape[:2]
        luma = read_luma(saved.coefficients, self.backend)
        table = luma_table(saved.table_quality, self.backend)
        results['img'] = np.repeat(saved.pixels[..., None], 3, axis=2)
        results['dct'] = magnitude(luma.coefficients[:height, :width])
        results['qtable'] = table.clip(max=saved.largest_step).astype(np.uint8)
        results['dct_source'] = f'doctamper-{self.schedule}'
        results['quality_factors'] = factors
        results.pop('img_bytes', None)
        sign(results)
        return results

    def _random_factors(self) -> list[int]:
        count = random.randint(1, MAX_FACTORS)
        lowest = self.min_quality.present()
        return [random.randint(lowest, 100) for _ in range(count)]

    def _recorded(self, results: dict) -> list[int]:
        if 'record_index' not in results:
            raise ValueError(
                f'{results.get("img_path", "image")}: factors={self.factors!r} needs samples that '
                'know their number in the subset, as those of mmomni.DocTamperDataset do'
            )
        if self._records is None:
            self._records = read_factors(str(self.factors))
        index = results['record_index']
        if index >= len(self._records):
            raise ValueError(
                f'{self.factors} has factors for {len(self._records)} images, this is number '
                f'{index}: the file belongs to another subset'
            )
        return self._records[index]

    def __repr__(self) -> str:
        source = self.factors or self.min_quality
        return f'DocTamperJPEG(schedule={self.schedule!r}, factors={source})'


@lru_cache(maxsize=100)
def luma_table(quality: int, backend: str = 'jpeglib') -> np.ndarray:
    """Luma quantisation table of a libjpeg quality; ``uint16``, (8, 8)."""
    return read_luma(encode(np.zeros((8, 8), np.uint8), quality), backend).table


def to_grey(rgb: np.ndarray) -> np.ndarray:
    """ITU-R 601 luma as Pillow rounds it, which DTD's script uses; ``uint8`` (H, W)."""
    return np.asarray(Image.fromarray(rgb).convert('L'))


# ---- the official quality factors ----------------------------------------------------------


def read_factors(path: str) -> list[list[int]]:
    """Read a ``pks/<subset>_<lowest quality>.pk``: for each image, its quality factors.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds anything but a list of lists of one to three qualities.
    """
    try:
        records = [[int(factor) for factor in record] for record in read_plain(path)]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'{path}: expected a pickled list of lists of quality factors, as in pks/ of the '
            f'DocTamper repository ({error})'
        ) from error
    wrong = [
        index for index, record in enumerate(records)
        if not 1 <= len(record) <= MAX_FACTORS or not all(1 <= q <= 100 for q in record)
    ]  # fmt: skip
    if wrong:
        raise ValueError(
            f'{path}: expected one to three qualities in 1..100 for every image, got '
            f'{records[wrong[0]]} for number {wrong[0]}'
        )
    return records
