"""Folders of CASIA's kind, as IMDL-BenCo (ManiDataset) and ForensicHub have them.

    Tp/*              tampered
    Gt/*              masks, of the same name or with _gt
    Au/*              authentic, if there are any

Of any set that is arranged so; its masks have to be 0 where an image is authentic.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Found, images_in, pair, relative
from mmomni.utils.files import files_below, is_image


def mask_key(path: Path) -> str:
    return path.stem.removesuffix('_gt')


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    found = pair(root, images_in(root / 'Tp'), images_in(root / 'Gt'), mask_key=mask_key)
    found.authentic = relative(images_in(root / 'Au'), root)
    folders = (root / name for name in ('Tp', 'Gt', 'Au') if (root / name).is_dir())
    others = (path for folder in folders for path in files_below(folder, is_image).others)
    found.left_out += [(name, 'no image that is read here') for name in relative(others, root)]
    return {'train': found}


CONVERTER = Converter(__doc__, find)

if __name__ == '__main__':
    CONVERTER.run()
