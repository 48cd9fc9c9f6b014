"""Counts and histograms of a set."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

import numpy as np

from .records import DataSet, ImageFacts, MaskFacts, Record

AREA_EDGES = (0.0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""Bins of the histogram of tampered shares; each holds its upper edge, and 0 is not counted."""


@dataclass(frozen=True)
class SetSummary:
    """One row of the table of sets."""

    name: str
    domain: str
    split: str
    images: int  # named by the set
    tampered: int  # how many have a mask
    authentic: int  # how many have none
    unreadable: int  # images that are missing or broken
    formats: dict[str, int] = field(default_factory=dict)  # readable images by file format
    jpeg_quality: dict[int, int] = field(default_factory=dict)  # JPEGs by libjpeg quality
    non_standard: int = 0  # JPEGs whose luma table is of other making
    large_steps: int = 0  # JPEGs with quantisation steps above 63
    area: tuple[int, ...] = (0,) * (len(AREA_EDGES) - 1)  # masks in the bins of AREA_EDGES
    median_area: float | None = None  # median tampered share of masks that mark something

    @property
    def jpegs(self) -> int:
        return sum(self.jpeg_quality.values()) + self.non_standard

    @property
    def non_jpeg_share(self) -> float | None:
        """How many of the readable images are no JPEGs; ``None`` if there are none."""
        readable = sum(self.formats.values())
        return (readable - self.jpegs) / readable if readable else None

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), 'non_jpeg_share': self.non_jpeg_share}


def summarize(data_set: DataSet, records: Sequence[Record]) -> SetSummary:
    """The row of a set, from its own records."""
    images = [record.image for record in records if isinstance(record.image, ImageFacts)]
    jpegs = [image.jpeg for image in images if image.jpeg is not None]
    areas = [
        record.mask.tampered for record in records
        if isinstance(record.mask, MaskFacts) and record.mask.tampered > 0
    ]  # fmt: skip
    tampered = sum(record.sample.mask is not None for record in records)
    return SetSummary(
        data_set.name, data_set.domain, data_set.split,
        images=len(records),
        tampered=tampered,
        authentic=len(records) - tampered,
        unreadable=len(records) - len(images),
        formats=_count(image.format for image in images),
        jpeg_quality=_count(jpeg.quality for jpeg in jpegs if jpeg.quality is not None),
        non_standard=sum(jpeg.quality is None for jpeg in jpegs),
        large_steps=sum(jpeg.largest_step > 63 for jpeg in jpegs),
        area=_area_histogram(areas),
        median_area=median(areas) if areas else None,
    )  # fmt: skip


def _area_histogram(areas: Sequence[float]) -> tuple[int, ...]:
    bins = np.searchsorted(AREA_EDGES, areas, side='left') - 1
    counts = np.bincount(bins.astype(int), minlength=len(AREA_EDGES) - 1)
    return tuple(int(count) for count in counts)


def _count(items: Iterable[Any]) -> dict[Any, int]:
    return dict(sorted(Counter(items).items()))
