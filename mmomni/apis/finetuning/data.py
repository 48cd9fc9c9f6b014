"""Somebody's forgeries, and those that the model is to remember, looked at and split."""

import os.path as osp
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from mmomni.inspection import (
    Diagnosis,
    ImageFacts,
    MaskFacts,
    Record,
    examine,
    is_config,
    open_sets,
)
from mmomni.inspection.survey import Progress
from mmomni.utils.files import replacing

from .split import Example, Split, examples_of, split_by_source

LEAST = 8
"""Forgeries of one's own that are worth a try."""
MOST_GENERAL = 60
"""Forgeries, and authentic images, that what the model knew is measured on."""
TRAIN, HELD_OUT = 'train', 'val'


class OwnData(NamedTuple):
    """What there is to learn from.

    Attributes:
        diagnosis: What the doctor says of all sets.
        own: Examples of one's own.
        known: Those that the model is to remember, without what looks like one's own.
        alike: So many of the latter were left out.
        digests: Of both: the same for the same images and masks in the same order and groups, which
            decide on the split, wherever they lie.
    """

    diagnosis: Diagnosis
    own: list[Example]
    known: list[Example]
    alike: int
    digests: dict[str, str]


def survey(
    folder: str, known: Sequence[str], workers: int = 1, progress: Progress | None = None
) -> OwnData:
    """Read every image and mask once.

    Raises:
        FileNotFoundError: A folder or list is not there.
        ValueError: One is of no use, or a config.
    """
    for each in map(Path, (folder, *known)):
        if each.is_file() and is_config(each):
            raise ValueError(
                'expected folders with images/ and masks/, or list files, got a config; train with '
                f'it by mmomni train: {each}'
            )
    sets = open_sets([folder, *known])
    diagnosis, records = examine(sets, workers, progress)
    others = _unlike(records[0], records[1:])
    own, kept = (
        [each for some in examples_of(part) for each in some] for part in (records[:1], others)
    )
    digests = dict(data=_digest(records[:1], own), known=_digest(others, kept))
    alike = sum(map(len, records[1:])) - sum(map(len, others))
    return OwnData(diagnosis, own, kept, alike, digests)


def _unlike(own: Sequence[Record], known: Sequence[Sequence[Record]]) -> list[list[Record]]:
    """Sets without what looks like one's own."""
    mine, *others = examples_of([own, *known], by_folder=False)
    groups = {example.group for example in mine}
    return [
        [record for record, example in zip(*both, strict=True) if example.group not in groups]
        for both in zip(known, others, strict=True)
    ]


def demand_data(data: OwnData, has_known: bool) -> None:
    """Refuse too little to learn from.

    Raises:
        ValueError: There are too few forgeries.
    """
    sets = [('of your own', data.own)] + [('of --known', data.known)] * has_known
    for name, examples in sets:
        if (count := sum(example.is_forged for example in examples)) < LEAST:
            raise ValueError(
                f'expected at least {LEAST} forgeries {name}, each with a mask that marks what was '
                f'changed, got {count} among {len(examples)} images'
                + ('' if any(each.mask for each in examples) else ', none of which has a mask')
            )


def split_data(data: OwnData, seed: int) -> dict[str, Split]:
    """The parts of ``'own'`` and, where there are any, of ``'known'``.

    Raises:
        ValueError: One cannot be split.
    """
    parts = {'own': split_by_source(data.own, seed, 'your forgeries')}
    if data.known:
        parts['known'] = split_by_source(data.known, seed, '--known', MOST_GENERAL)
    return parts


def write_lists(out: Path, parts: dict[str, Split]) -> dict[str, Path]:
    """Write ``own_train.txt`` and so on; by these names, without the ending, their paths."""
    return {
        f'{name}_{half}': write_list(out / f'{name}_{half}.txt', examples)
        for name, split in parts.items()
        for half, examples in zip((TRAIN, HELD_OUT), split, strict=True)
    }


def write_list(path: Path, examples: Iterable[Example]) -> Path:
    """Write a list file of absolute paths.

    Raises:
        ValueError: A name holds what separates names in lists.
    """
    rows = [
        (osp.abspath(each.image), '-' if each.mask is None else osp.abspath(each.mask))
        for each in examples
    ]
    for name in (name for row in rows for name in row):
        if set(name) & set('\t\r\n'):
            raise ValueError(f'{name!r} holds a tab or line break, which no list can; rename it')
    with replacing(path) as unfinished:
        text = ''.join(f'{image}\t{mask}\n' for image, mask in rows)
        unfinished.write_text(text, encoding='utf-8')
    return path


def _digest(sets: Iterable[Sequence[Record]], examples: Sequence[Example]) -> str:
    """Of images, labels and groups, in their order."""
    records = [record for each in sets for record in each]
    lines = [
        f'{record.image.digest if isinstance(record.image, ImageFacts) else ""} '
        f'{record.mask.labels if isinstance(record.mask, MaskFacts) else ""} {example.group}'
        for record, example in zip(records, examples, strict=True)
    ]
    return f'{len(lines)} images, {sha256(chr(10).join(lines).encode()).hexdigest()[:16]}'
