"""tampCOCO of CAT-Net: four synthetic sets.

    {sp,cm,bcm,bcmc}_COCO_list.txt       lines IMAGE,MASK relative to the root
    {sp,cm,bcm,bcmc}_images/*.jpg        tampered
    {sp,cm,bcm}_masks/*.png              masks; bcmc shares those of bcm

Images listed twice appear once. Some files of the published archives are empty: they are left out.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Found, Pair

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
        lines = [line.strip() for line in path.read_text(encoding='utf-8').splitlines()]
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            columns = line.split(',')
            if len(columns) != 2:
                raise ValueError(f'{path}:{number}: expected IMAGE,MASK, got {line!r}')
            found.tampered.append(Pair(*columns))
    found.tampered = list(dict.fromkeys(found.tampered))
    return {'train': found}


CONVERTER = Converter(__doc__, find, add_options=add_options)

if __name__ == '__main__':
    CONVERTER.run()
