"""SACP: certificates of the Security AI Challenger Program, fifth season (Tianchi 531812).

    train/img/*.jpg    train/mask/*.png      masks are 0/1
    test/img/*.jpg     test/mask/*.png       without masks the test split is skipped

img/ and mask/ in the root itself count as train/. The organisers kept the masks of the test images;
--test-list FILE names (one stem a line) training images to set aside for testing instead.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, Pair, images_in, pair
from mmomni.utils.text import read_text


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--test-list', type=Path, help='stems of the images of an own test split')


def find(root: Path, args: argparse.Namespace) -> dict[str, Found]:
    train = root / 'train' if (root / 'train').is_dir() else root
    splits = {'train': split(root, train)}
    if images_in(root / 'test' / 'mask'):
        splits['test'] = split(root, root / 'test')
    elif args.test_list is not None:
        stems = set(read_text(args.test_list).split())
        pairs = splits['train'].tampered
        splits['train'].tampered = [p for p in pairs if stem(p) not in stems]
        splits['test'] = Found(tampered=[p for p in pairs if stem(p) in stems])
    return splits


def split(root: Path, folder: Path) -> Found:
    return pair(root, images_in(folder / 'img'), images_in(folder / 'mask'))


def stem(pair: Pair) -> str:
    return Path(pair.image).stem


PUBLISHED = {'train': Counts(tampered=1500), 'test': Counts(tampered=1500)}
CONVERTER = Converter(__doc__, find, PUBLISHED, add_options=add_options)

if __name__ == '__main__':
    CONVERTER.run()
