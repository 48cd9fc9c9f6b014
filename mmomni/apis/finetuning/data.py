"""Somebody's forgeries, and those that the model is to remember, looked at and split."""

import os.path as osp
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from mmomni.datasets.mask_rules import GENERAL_RULE
from mmomni.inspection import Diagnosis, ImageFacts, MaskFacts, Record, examine, open_sets
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
        digests: Of both: the same for the same images and masks, wherever they lie.
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
        ValueError: One is of no use, or has masks that are not read as usual.
    """
    sets = open_sets([folder, *known])
    if len(sets) != 1 + len(known) or any(each.rule != GENERAL_RULE for each in sets):
        raise ValueError(
            'expected folders with images/ and masks/, or list files, got a config; train with it '
            'by mmomni train'
        )
    diagnosis, records = examine(sets, workers, progress)
    own, *others = examples_of(records)
    groups = {example.group for example in own}
    given = [example for each in others for example in each]
    kept = [example for example in given if example.group not in groups]
    digests = dict(
        data=_digest(records[0]), known=_digest(r for each in records[1:] for r in each)
    )
    return OwnData(diagnosis, own, kept, len(given) - len(kept), digests)


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
                f'changed, got {count}'
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


def _digest(records: Iterable[Record]) -> str:
    """Of images and labels, in any order."""
    lines = sorted(
        f'{record.image.digest if isinstance(record.image, ImageFacts) else ""} '
        f'{record.mask.labels if isinstance(record.mask, MaskFacts) else ""}'
        for record in records
    )
    return f'{len(lines)} images, {sha256(chr(10).join(lines).encode()).hexdigest()[:16]}'
