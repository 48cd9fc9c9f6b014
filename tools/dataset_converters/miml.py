"""MIML: manual forgeries from the web with automatic masks.

    MIML_Part1/imgs/*     MIML_Part1/masks/*.png
    MIML_Part2/imgs/*     MIML_Part2/masks/*.png

Any number of parts; or imgs/ and masks/ in the root itself.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, images_in, pair


def part_and_name(path: Path) -> str:
    return f'{path.parents[1].name}/{path.stem}'


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    images = images_in(root, 'imgs/*') + images_in(root, '*/imgs/*')
    masks = images_in(root, 'masks/*') + images_in(root, '*/masks/*')
    return {'train': pair(root, images, masks, part_and_name, part_and_name)}


CONVERTER = Converter(__doc__, find, {'train': Counts(tampered=123150)})

if __name__ == '__main__':
    CONVERTER.run()
