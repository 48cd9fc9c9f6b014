"""Images that are there more than once, inside sets and on both sides of the split."""

from collections.abc import Iterable, Sequence

from .kinds import KINDS
from .records import Finding, ImageFacts, ListedImage, MaskFacts, Record
from .similarity import Appearance, similar_groups

AUTHENTIC, CONTRADICTION = 'authentic', 'label-contradiction'


def check_duplicates(records: Sequence[Record]) -> list[Finding]:
    """One finding for each group of equal files and each of look-alikes.

    A group that holds training images and others is named by one of the others. Equal files whose
    masks differ, or of which one alone has none, contradict each other; this is named instead of
    what they are otherwise, unless they are on both sides of a split.
    """
    by_digest: dict[str, list[ListedImage]] = {}
    labels: dict[str, set[str]] = {}
    appearances: dict[str, Appearance] = {}
    for record in records:
        if isinstance(record.image, ImageFacts):
            by_digest.setdefault(record.image.digest, []).append(record.sample)
            labels.setdefault(record.image.digest, set()).update(_labels(record))
            if record.image.appearance is not None:
                appearances[record.image.digest] = record.image.appearance
    exact: list[Finding] = []
    for digest, group in by_digest.items():
        found = [_finding(group, 'exact')] if len(group) > 1 else []
        if len(labels[digest]) > 1:
            message = f'{found[0].message}, with {len(labels[digest])} different labels'
            level = KINDS[CONTRADICTION].level
            contradiction = found[0]._replace(kind=CONTRADICTION, message=message, level=level)
            found = [contradiction, *(each for each in found if each.kind == 'train-test-exact')]
        exact += found
    digests = list(appearances)
    similar = [
        _finding((sample for index in group for sample in by_digest[digests[index]]), 'similar')
        for group in similar_groups(list(appearances.values()))
    ]
    return exact + similar


def _labels(record: Record) -> list[str]:
    """What a sample says of its image, the same for equal labels; nothing if that is not known."""
    if record.mask is None:
        return [AUTHENTIC]
    if not isinstance(record.mask, MaskFacts) or not isinstance(record.image, ImageFacts):
        return []
    if (record.mask.width, record.mask.height) != (record.image.width, record.image.height):
        return []
    return [record.mask.labels if record.mask.tampered else AUTHENTIC]


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
