"""Forgeries made on the spot, of a kind that the shipped weights know, where none are given."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mmomni.datasets.lists import read_list
from mmomni.synthesis import RENDERED, synthesize_folder

from .split import Example, Split

DOCUMENTS, PHOTOS = (160, 24), (80, 16)
"""So many are made to train on, and to validate on."""
LEAST_SOURCES = 4
"""Authentic photos, below which none are forged."""
MAX_SIDE = 384
LIST = 'list.txt'

Progress = Callable[[int, int], None]


class Known(NamedTuple):
    """What was made.

    Attributes:
        split: To train and to validate on.
        told: In words.
    """

    split: Split
    told: str


def forge_known(out: Path, own: Split, seed: int, progress: Progress | None = None) -> Known:
    """Forge documents, and the authentic photos among one's own, if there are enough of them.

    What lies in ``out`` already is not made again. Photos to validate on are forged from authentic
    ones that are held out.

    Args:
        out: A folder for them.
        own: Whose authentic photos are forged.
        seed: Of the synthesiser.
        progress: Called with (made, number) for each of the folders.
    """
    count = sum(DOCUMENTS)
    synthesize_folder(
        RENDERED, out / 'documents', 'document', count, seed, MAX_SIDE, resume=True,
        progress=progress,
    )  # fmt: skip
    pages = _examples(out / 'documents')
    held = DOCUMENTS[1]
    split, told = Split(pages[held:], pages[:held]), f'{count} rendered documents'
    made = [
        _forge_photos(out / f'photos_{half}', examples, number, seed, progress)
        for half, examples, number in zip(('train', 'val'), own, PHOTOS, strict=True)
    ]
    if made[0]:
        told += f' and {len(made[0]) + len(made[1])} of your authentic photos'
    return Known(Split(split.train + made[0], split.held_out + made[1]), f'{told}, forged here')


def _forge_photos(
    out: Path, examples: Sequence[Example], number: int, seed: int, progress: Progress | None
) -> list[Example]:
    """Natural forgeries of the authentic ones among some examples."""
    sources = [Path(example.image) for example in examples if not example.is_forged]
    if len(sources) < LEAST_SOURCES:
        return []
    synthesize_folder(
        sources, out, 'natural', number, seed, MAX_SIDE, resume=True, progress=progress
    )
    return _examples(out)


def _examples(folder: Path) -> list[Example]:
    pairs = read_list(folder / LIST, str(folder)).pairs
    return [
        Example(pair.image, pair.mask, pair.mask is not None, place)
        for place, pair in enumerate(pairs)
    ]
