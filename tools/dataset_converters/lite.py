"""Lay out the data of ``configs/lite``: links, list files and synthesised images.

    python tools/dataset_converters/lite.py SOURCES data/lite

``SOURCES`` holds authentic images in ``natural/``, ``document/`` and ``face/``; forgeries made by
people in ``forged_train/`` and ``forged_dev/`` (``images/`` and ``masks/``, the name of each begins
with that of its source and ``_``); things to paste in ``donors/`` (the same form). Every fifth
authentic image, by name, is a source of test images and never of training images. Again: goes on
where it was.
"""

import argparse
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from mmomni.image_files import find_images

DOMAINS = ('natural', 'document', 'face')
TEST_EVERY = 5
SEEDS = {'train': 1, 'val': 2, 'test': 3}
SHARES = {'natural': 0.5, 'document': 0.3, 'face': 0.2}
NUM_HELD_OUT = {'val': 40, 'test': 100}
"""Synthesised images of each domain."""
AUTHENTIC = {'train': 0.05, 'val': 0, 'test': 0}
NUM_AUTHENTIC_TEST = 100


def split_sources(sources: Path, out: Path) -> dict[str, dict[str, list[Path]]]:
    """Links to the authentic images of every domain, for training and for testing."""
    parts: dict[str, dict[str, list[Path]]] = {'train': {}, 'test': {}}
    for domain in DOMAINS:
        images = sorted(find_images(sources / domain), key=lambda path: path.stem)
        if len(images) < 2 * TEST_EVERY:
            raise SystemExit(
                f'{sources / domain}: expected at least {2 * TEST_EVERY} authentic images, got '
                f'{len(images)}'
            )
        for part, chosen in (
            ('train', [image for i, image in enumerate(images) if i % TEST_EVERY]),
            ('test', images[::TEST_EVERY]),
        ):
            folder = out / 'sources' / part / domain
            parts[part][domain] = [_link(folder / image.name, image) for image in chosen]
    return parts


def _link(link: Path, target: Path) -> Path:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(target.resolve())
    return link


def write_list(path: Path, rows: Iterable[tuple[Path, Path | None]]) -> None:
    """A list file of ``image mask`` or ``image -``, relative to its folder."""
    lines = [
        f'{image.relative_to(path.parent)}\t{mask.relative_to(path.parent) if mask else "-"}'
        for image, mask in rows
    ]
    path.write_text('\n'.join([*lines, '']), encoding='utf-8')


def list_authentic(parts: dict[str, dict[str, list[Path]]], out: Path) -> None:
    """All authentic images of training; of testing, as many of each domain as their shares say."""
    train = [image for domain in DOMAINS for image in parts['train'][domain]]
    write_list(out / 'authentic_train.txt', ((image, None) for image in train))
    test = []
    for domain in DOMAINS:
        images = parts['test'][domain]
        wanted = min(round(NUM_AUTHENTIC_TEST * SHARES[domain]), len(images))
        test += [images[i * len(images) // wanted] for i in range(wanted)]
    write_list(out / 'authentic_test.txt', ((image, None) for image in test))


def list_real(sources: Path, out: Path) -> None:
    """One list of the forgeries to train on; one for each source of those to validate on."""
    for part in ('forged_train', 'forged_dev'):
        pairs = list(_pairs(sources / part, out / part))
        by_source: dict[str, list[tuple[Path, Path]]] = defaultdict(list)
        for image, mask in pairs:
            by_source[image.name.split('_')[0]].append((image, mask))
        write_list(out / f'{part}.txt', pairs)
        for source, rows in by_source.items():
            write_list(out / f'{part}_{source}.txt', rows)


def _pairs(folder: Path, linked: Path) -> Iterable[tuple[Path, Path]]:
    masks = {path.stem: path for path in find_images(folder / 'masks')}
    images = find_images(folder / 'images')
    lonely = sorted(masks.keys() ^ {image.stem for image in images})
    if not images or lonely:
        raise SystemExit(
            f'{folder}: expected images/ and masks/ of equal stems, got {len(images)} images, '
            f'{len(masks)} masks; without partner: {", ".join(lonely[:3]) or "none"}'
        )
    for image in images:
        mask = masks[image.stem]
        yield (
            _link(linked / 'images' / image.name, image),
            _link(linked / 'masks' / mask.name, mask),
        )


def synthesize(out: Path, num: int, workers: int) -> None:
    """The training set, and two small sets of other sources."""
    for part, seed in SEEDS.items():
        for domain in DOMAINS:
            count = NUM_HELD_OUT.get(part, round(num * SHARES[domain]))
            sources = out / 'sources' / ('train' if part == 'train' else 'test') / domain
            command = [
                sys.executable, '-m', 'mmomni.cli', 'synthesize', sources, out / part / domain,
                '--domain', domain, '--num', count, '--seed', seed, '--workers', workers,
                '--authentic', AUTHENTIC[part], '--resume',
            ]  # fmt: skip
            print('$', *command[1:], flush=True)
            subprocess.run([str(word) for word in command], check=True)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Lay out the data of configs/lite')
    parser.add_argument('sources', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--num', type=int, default=60_000, help='synthesised training images')
    parser.add_argument('--workers', type=int, default=2, help='processes of the synthesis')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    parts = split_sources(args.sources, args.out)
    list_authentic(parts, args.out)
    list_real(args.sources, args.out)
    synthesize(args.out, args.num, args.workers)


if __name__ == '__main__':
    main()
