"""Lay out the data of ``configs/lite``: links, list files and synthesised images.

    python tools/lite_data.py SOURCES data/lite

``SOURCES`` holds authentic images in ``natural/``, ``document/`` and ``face/``; forgeries made by
people in ``forged_train/`` and ``forged_dev/`` (``images/`` and ``masks/``; in the second, names
begin with that of their source and ``_``); things to paste in ``donors/`` (the same form), for all
parts alike. Every fifth authentic image, by name, is a source of images to validate and to test on
(of both), never of training images. Again: goes on where it was; with other sources, synthesised
folders are refused and have to be removed.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mmomni.utils.files import find_images

# Of the released weights; more would be another training.
DOMAINS = ('natural', 'document', 'face')
TEST_EVERY = 5
LEAST_SOURCES = 3 * TEST_EVERY  # one to validate on, two to test on
SEEDS = {'train': 1, 'val': 2, 'test': 3}


class Recipe(NamedTuple):
    """How a set of images is synthesised.

    Attributes:
        sources: The domain whose authentic images are forged, or pages rendered for it.
        operations: The domain whose operations forge them.
        authentic: Share of images that pass through all of it without a forgery.
    """

    sources: str
    operations: str
    authentic: float = 0.0


RENDERED = 'rendered'
# Faces alone are forged in their middle, so that the middle of a face would tell of a forgery:
# many stay authentic, and photos of people are forged as other photos are.
TRAIN = {
    'natural': Recipe('natural', 'natural', authentic=0.05),
    'document': Recipe('document', 'document', authentic=0.05),
    'rendered': Recipe(RENDERED, 'document', authentic=0.05),
    'face': Recipe('face', 'face', authentic=0.3),
    'portrait': Recipe('face', 'natural', authentic=0.05),
}
SHARES = {'natural': 0.5, 'document': 0.2, 'rendered': 0.1, 'face': 0.12, 'portrait': 0.08}
"""Shares of the synthesised training images that each recipe makes."""
HELD_OUT = {domain: Recipe(domain, domain) for domain in DOMAINS}
NUM_HELD_OUT = {'val': 40, 'test': 100}
"""Synthesised images of each domain."""
NUM_AUTHENTIC = {
    'val': {'natural': 16, 'document': 4, 'face': 10},
    'test': {'natural': 50, 'document': 30, 'face': 20},
}
"""Authentic images to validate and to test on."""


def split_sources(sources: Path, out: Path) -> dict[str, dict[str, list[Path]]]:
    """Links to the authentic images of every domain, for training and for testing.

    Made anew each time, because with more sources others are every fifth.
    """
    shutil.rmtree(out / 'sources', ignore_errors=True)
    parts: dict[str, dict[str, list[Path]]] = {'train': {}, 'test': {}}
    for domain in DOMAINS:
        images = sorted(find_images(sources / domain), key=lambda path: path.stem)
        if len(images) < LEAST_SOURCES:
            raise SystemExit(
                f'{sources / domain}: expected at least {LEAST_SOURCES} authentic images, got '
                f'{len(images)}'
            )
        for part, chosen in (
            ('train', [image for i, image in enumerate(images) if i % TEST_EVERY]),
            ('test', images[::TEST_EVERY]),
        ):
            folder = out / 'sources' / part / domain
            parts[part][domain] = [
                _link(folder / image.relative_to(sources / domain), image) for image in chosen
            ]
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
    """All authentic images of training, and some of the others to validate and to test on."""
    train = [image for domain in DOMAINS for image in parts['train'][domain]]
    write_list(out / 'authentic_train.txt', ((image, None) for image in train))
    val, test = [], []
    for domain in DOMAINS:
        images = parts['test'][domain]
        chosen = spread_over(images, min(NUM_AUTHENTIC['val'][domain], len(images) // 3))
        others = [image for image in images if image not in chosen]
        val += chosen
        test += spread_over(others, NUM_AUTHENTIC['test'][domain])
    write_list(out / 'authentic_val.txt', ((image, None) for image in val))
    write_list(out / 'authentic_test.txt', ((image, None) for image in test))


def spread_over(images: list[Path], wanted: int) -> list[Path]:
    """So many of them, or all, evenly spread."""
    wanted = min(wanted, len(images))
    return [images[i * len(images) // wanted] for i in range(wanted)]


def link_real(sources: Path, out: Path) -> None:
    """Links to the forgeries made by people; a list for each source of those to validate on."""
    for part in ('forged_train', 'forged_dev'):
        for kind in ('images', 'masks'):
            folder = sources / part / kind
            if not folder.is_dir():
                raise SystemExit(f'expected forgeries made by people at {folder}, found no folder')
            _link(out / part / kind, folder)
    run(Path(__file__).with_name('dataset_converters') / 'by_source.py', out / 'forged_dev')


def run(*command: object) -> None:
    words = [str(word) for word in command]
    print('$', ' '.join(words), flush=True)
    subprocess.run([sys.executable, *words], check=True)


def synthesize(sources: Path, out: Path, num: int, workers: int) -> None:
    """The training set, and two small sets of other sources."""
    for part, seed in SEEDS.items():
        for name, recipe in (TRAIN if part == 'train' else HELD_OUT).items():
            found = out / 'sources' / ('train' if part == 'train' else 'test') / recipe.sources
            donors = ['--donors', sources / 'donors'] if recipe.operations == 'natural' else []
            run(
                '-m', 'mmomni.cli', 'synthesize', found if recipe.sources in DOMAINS else RENDERED,
                out / part / name, '--domain', recipe.operations,
                '--num', round(num * SHARES[name]) if part == 'train' else NUM_HELD_OUT[part],
                '--seed', seed, '--authentic', recipe.authentic, *donors,
                '--workers', workers, '--resume',
            )  # fmt: skip


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
    link_real(args.sources, args.out)
    synthesize(args.sources, args.out, args.num, args.workers)
    # last: were the synthesis refused, old lists would not stand beside images of another split
    list_authentic(parts, args.out)


if __name__ == '__main__':
    main()
