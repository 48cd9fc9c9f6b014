"""Images that are there more than once, inside sets and on both sides of the split."""

from collections.abc import Iterable, Sequence

from .records import Finding, ImageFacts, ListedImage, Record
from .similarity import Appearance, similar_groups


def check_duplicates(records: Sequence[Record]) -> list[Finding]:
    """One finding for each group of equal files and each of look-alikes.

    A group that holds training images and others is named by one of the others.
    """
    by_digest: dict[str, list[ListedImage]] = {}
    appearances: dict[str, Appearance] = {}
    for record in records:
        if isinstance(record.image, ImageFacts):
            by_digest.setdefault(record.image.digest, []).append(record.sample)
            if record.image.appearance is not None:
                appearances[record.image.digest] = record.image.appearance
    exact = [_finding(group, 'exact') for group in by_digest.values() if len(group) > 1]
    digests = list(appearances)
    similar = [
        _finding((sample for index in group for sample in by_digest[digests[index]]), 'similar')
        for group in similar_groups(list(appearances.values()))
    ]
    return exact + similar


def _finding(group: Iterable[ListedImage], likeness: str) -> Finding:
    group = sorted(group, key=lambda sample: (not sample.held_out, sample.dataset, sample.image))
    training = sum(not sample.held_out for sample in group)
    crosses = 0 < training < len(group)
    files = list(dict.fromkeys(sample.image for sample in group))
    sets = sorted({f'{sample.dataset} ({sample.split})' for sample in group})
    message = f'{len(group)} images' if len(files) > 1 else f'listed {len(group)} times'
    message += f' in {" and ".join(sets)}'
    if crosses:
        message += f', {training} for training'
    kind = f'train-test-{likeness}' if crosses else f'duplicate-{likeness}'
    return Finding.of(group[0], kind, files[0], message, tuple(files[1:]))
