"""AutoSplice: regions redrawn by DALL-E 2.

    Authentic/<id>.jpg                            authentic
    Forged_JPEG{100,90,75}/<id>_<n>.jpg           tampered, the same images at three qualities
    Mask/<id>_mask.png                            masks, shared by all <id>_<n>

One quality goes into the list: the same forgeries three times would count three times.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, images_in, pair, relative


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--quality', choices=['100', '90', '75'], default='100')


def find(root: Path, args: argparse.Namespace) -> dict[str, Found]:
    found = pair(
        root,
        images_in(root / f'Forged_JPEG{args.quality}'),
        images_in(root / 'Mask'),
        image_key=lambda path: path.stem.partition('_')[0],
        mask_key=lambda path: path.stem.removesuffix('_mask'),
    )
    found.authentic = relative(images_in(root / 'Authentic'), root)
    return {'test': found}


CONVERTER = Converter(
    __doc__, find, {'test': Counts(3621, 2273)}, resize_masks=True, add_options=add_options
)

if __name__ == '__main__':
    CONVERTER.run()
