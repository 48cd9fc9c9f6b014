"""COCO as authentic images.

    train2017/*.jpg

ROOT is the folder above train2017.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, images_in, relative


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    return {'train': Found(authentic=relative(images_in(root / 'train2017'), root))}


CONVERTER = Converter(__doc__, find, {'train': Counts(authentic=118287)})

if __name__ == '__main__':
    CONVERTER.run()
