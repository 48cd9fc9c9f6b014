"""CelebA-HQ as authentic faces: a random choice.

    CelebA-HQ-img/*.jpg     (or any folder of images as ROOT)

The same seed chooses the same images on every machine.
"""

import argparse
import random
from pathlib import Path

from mmomni.datasets.list_files import Converter, Found, images_in, relative


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--count', type=int, default=24000, help='so many as the paper uses')
    parser.add_argument('--seed', type=int, default=0)


def find(root: Path, args: argparse.Namespace) -> dict[str, Found]:
    folder = root / 'CelebA-HQ-img'
    names = relative(images_in(folder if folder.is_dir() else root), root)
    if len(names) < args.count:
        raise ValueError(f'expected at least {args.count} images below {root}, got {len(names)}')
    return {'train': Found(authentic=sorted(random.Random(args.seed).sample(names, args.count)))}


CONVERTER = Converter(__doc__, find, add_options=add_options)

if __name__ == '__main__':
    CONVERTER.run()
