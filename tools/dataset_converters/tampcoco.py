"""tampCOCO of CAT-Net: four synthetic sets.

    {sp,cm,bcm,bcmc}_COCO_list.txt       lines IMAGE,MASK relative to the root
    {sp,cm,bcm,bcmc}_images/*.jpg        tampered
    {sp,cm,bcm}_masks/*.png              masks; bcmc shares those of bcm

Images listed twice appear once. Some files of the published archives are empty: they are left out.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Found, Pair, relative
from mmomni.datasets.lists import pairs_of_list

SUBSETS = ('sp', 'cm', 'bcm', 'bcmc')


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--subsets', nargs='+', choices=SUBSETS, default=SUBSETS,
        help='splicing, copy-move, and copy-move on RAISE without and with JPEG history',
    )  # fmt: skip


def find(root: Path, args: argparse.Namespace) -> dict[str, Found]:
    found = Found()
    for subset in args.subsets:
        path = root / f'{subset}_COCO_list.txt'
        for image, mask, place in pairs_of_list(path, str(root)).pairs:
            if mask is None:
                raise ValueError(f'{path}: expected IMAGE,MASK, got no mask in {place}')
            found.tampered.append(Pair(*relative(map(Path, (image, mask)), root)))
    found.tampered = list(dict.fromkeys(found.tampered))
    return {'train': found}


CONVERTER = Converter(__doc__, find, add_options=add_options)

if __name__ == '__main__':
    CONVERTER.run()
