"""COVERAGE: copy-move between similar objects.

    image/N.tif            authentic
    image/Nt.tif           tampered
    mask/Nforged.tif       the forged region: the mask used here
    mask/Ncopy.tif         the region that was copied, and
    mask/Npaste.tif        where it landed: not used

Nine masks have another size than their image (41, 48, 55 to 59, 61, 95); they are resized.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, bright, images_in, pair, relative


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    images = images_in(root / 'image')
    found = pair(
        root,
        [path for path in images if path.stem.endswith('t')],
        [path for path in images_in(root / 'mask') if path.stem.endswith('forged')],
        image_key=lambda path: path.stem.removesuffix('t'),
        mask_key=lambda path: path.stem.removesuffix('forged'),
    )
    found.authentic = relative([path for path in images if path.stem.isdigit()], root)
    return {'test': found}


CONVERTER = Converter(
    __doc__, find, {'test': Counts(100, 100)}, is_tampered=bright, resize_masks=True
)

if __name__ == '__main__':
    CONVERTER.run()
