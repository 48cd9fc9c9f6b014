"""Which images of a training set are held out of it, to validate on."""

from collections.abc import Sequence
from typing import Any, TypeVar

Item = TypeVar('Item')

SPLITS = ('train', 'held_out')
SPLIT_DEFAULTS: dict[str, Any] = dict(held_out=0, split='train')
"""What a set that does not say how it is split has."""


def check_split(split: Any, held_out: Any) -> None:
    """Refuse what no set of any size can be split by.

    Raises:
        ValueError: Another split than those of :data:`SPLITS`, or a ``held_out`` that is no int.
    """
    if split not in SPLITS:
        raise ValueError(f'expected split to be one of {SPLITS}, got {split!r}')
    if not isinstance(held_out, int) or isinstance(held_out, bool):
        raise ValueError(
            f'expected held_out to be an int, so many images (0 holds none out), got {held_out!r}'
        )


def indices_of_split(total: int, held_out: int, split: str, name: str) -> list[int]:
    """Indices of the images that one side of the split has, ascending.

    Args:
        total: Images of both sides.
        held_out: So many, evenly spaced over the list, are held out of training.
        split: ``'train'``: all but those; ``'held_out'``: those.
        name: What an error message calls the set.

    Raises:
        ValueError: What :func:`check_split` refuses, or a split that would hold out too many or,
            to validate on, none.
    """
    check_split(split, held_out)
    if not 0 <= 2 * held_out <= total or (split == 'held_out' and not held_out):
        raise ValueError(
            f'{name}: cannot hold out {held_out} of {total} images for validation; '
            f'expected held_out from {int(split == "held_out")} to {total // 2}, the same '
            'in training and validation'
        )
    held = [k * total // held_out for k in range(held_out)]
    return held if split == 'held_out' else sorted(set(range(total)) - set(held))


def at_indices(items: Sequence[Item], indices: int | Sequence[int] | None) -> list[Item]:
    """Those that ``indices`` of a data set leave: the first or, if negative, the last so many.

    Raises:
        IndexError: There is no such item.
        TypeError: Neither a number nor a sequence of numbers.
    """
    if indices is None:
        return list(items)
    if isinstance(indices, int):
        return list(items[:indices] if indices >= 0 else items[indices:])
    return [items[index] for index in indices]
