"""A part to validate on that shares no source with the part to train on."""

import os.path as osp
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from mmomni.inspection import DisjointSets, ImageFacts, MaskFacts, Record, similar_groups
from mmomni.utils.seeding import Stream, generator

SHARE = 5
"""One of so many is held out."""
MOST_HELD = 200
"""Forgeries, and authentic images: more would take longer and tell hardly more."""
LEAST_FOLDERS = 3
"""Forgeries must lie in so many folders for these to be sources; two are often classes."""


class Example(NamedTuple):
    """An image of a set.

    Attributes:
        image: Its path.
        mask: Of its mask; ``None``: it is authentic.
        is_forged: Whether the mask marks anything.
        group: Number of its source; what shares it, looks alike or lies in one folder.
    """

    image: str
    mask: str | None
    is_forged: bool
    group: int


class Split(NamedTuple):
    """Both parts, in the order that they had."""

    train: list[Example]
    held_out: list[Example]


def examples_of(
    sets: Sequence[Sequence[Record]], by_folder: bool = True
) -> list[list[Example]]:
    """The examples of some sets, whose groups are common to all of them.

    Args:
        sets: What the doctor found.
        by_folder: Also group what lies in one folder, not only what looks alike.
    """
    records = [record for own in sets for record in own]
    parents = DisjointSets(len(records))
    folders = [folder for number, own in enumerate(sets) for folder in _folders(own, number)]
    digests = [_digest_of(record) for record in records]
    for alike in (folders, digests) if by_folder else (digests,):
        for first, second in _equal(alike):
            parents.join(first, second)
    pictures = [
        (place, record.image.appearance)
        for place, record in enumerate(records)
        if isinstance(record.image, ImageFacts) and record.image.appearance is not None
    ]
    for group in similar_groups([appearance for _, appearance in pictures]):
        for member in group[1:]:
            parents.join(pictures[group[0]][0], pictures[member][0])
    examples = (
        Example(record.sample.image, record.sample.mask, is_forged(record), parents.root(place))
        for place, record in enumerate(records)
    )
    return [[next(examples) for _ in own] for own in sets]


def is_forged(record: Record) -> bool:
    """Whether anything is marked."""
    return isinstance(record.mask, MaskFacts) and record.mask.tampered > 0


def split_by_source(
    examples: Sequence[Example], seed: int, name: str, most: int = MOST_HELD
) -> Split:
    """Hold a fifth of the forgeries out, and of the authentic images, with whole groups.

    Args:
        examples: With at least two forgeries.
        seed: Decides which groups.
        name: What an error message calls them.
        most: Hold out no more than so many of each kind.

    Raises:
        ValueError: Most forgeries are of one group.
    """
    groups: dict[int, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.group, []).append(example)
    order = generator(Stream.TOOL, seed).permutation(len(groups))
    drawn = [list(groups.values())[place] for place in order]
    forged = sum(example.is_forged for example in examples)
    wanted = min(most, max(1, round(forged / SHARE)))
    room = {True: wanted, False: min(most, (len(examples) - forged) // SHARE)}
    held: set[int] = set()
    for members in drawn:
        kind = any(example.is_forged for example in members)
        size = sum(example.is_forged is kind for example in members)
        if size <= room[kind]:
            room[kind] -= size
            held.add(members[0].group)
    if 2 * room[True] > wanted:
        held.add(_one_more(drawn, held, forged, name))
    return Split(
        [example for example in examples if example.group not in held],
        [example for example in examples if example.group in held],
    )


def _one_more(
    groups: Iterable[Sequence[Example]], held: set[int], forged: int, name: str
) -> int:
    """The smallest group of forgeries that is left, where all are larger than what is wanted."""
    sizes = {members[0].group: sum(e.is_forged for e in members) for members in groups}
    left = {group: size for group, size in sizes.items() if size and group not in held}
    smallest = min(left, key=lambda group: left[group])
    if 2 * (sum(sizes[group] for group in held) + left[smallest]) > forged:
        raise ValueError(
            f'{name}: {max(sizes.values())} of the {forged} forgeries look alike or lie in one '
            'folder, so none can be held out to validate on without its like; add forgeries of '
            'other images'
        )
    return smallest


def _digest_of(record: Record) -> str | None:
    return record.image.digest if isinstance(record.image, ImageFacts) else None


def _folders(records: Sequence[Record], number: int) -> list[tuple[int, str] | None]:
    """The first-level folder of each image with forgeries, where these lie in several."""
    places = [osp.abspath(record.sample.image) for record in records]
    if not places:
        return []
    root = osp.commonpath([osp.dirname(place) for place in places])
    parts = [osp.relpath(place, root).split(osp.sep) for place in places]
    names = [part[0] if len(part) > 1 else None for part in parts]
    forged = {name for name, record in zip(names, records, strict=True) if is_forged(record)}
    forged -= {None}
    if len(forged) < LEAST_FOLDERS:
        return [None] * len(places)
    # A folder of authentic images is none: some of them are to be held out, too.
    return [(number, name) if name and name in forged else None for name in names]


def _equal(keys: Sequence[Hashable]) -> Iterable[tuple[int, int]]:
    """Places of equal keys, each with the first."""
    first: dict[Hashable, int] = {}
    for place, key in enumerate(keys):
        if key is not None and first.setdefault(key, place) != place:
            yield first[key], place

