"""Which images of a training set are held out of it, to validate on."""

SPLITS = ('train', 'held_out')


def indices_of_split(total: int, held_out: int, split: str, name: str) -> list[int]:
    """Indices of the images that one side of the split has, ascending.

    Args:
        total: Images of both sides.
        held_out: So many, evenly spaced over the list, are held out of training.
        split: ``'train'``: all but those; ``'held_out'``: those.
        name: What an error message calls the set.

    Raises:
        ValueError: Another split, or one that would hold out too many or, to validate on, none.
    """
    if split not in SPLITS:
        raise ValueError(f'expected split to be one of {SPLITS}, got {split!r}')
    if not 0 <= 2 * held_out <= total or (split == 'held_out' and not held_out):
        raise ValueError(
            f'{name}: cannot hold out {held_out} of {total} images for validation; '
            f'expected held_out from {int(split == "held_out")} to {total // 2}, the same '
            'in training and validation'
        )
    held = [k * total // held_out for k in range(held_out)]
    return held if split == 'held_out' else sorted(set(range(total)) - set(held))
