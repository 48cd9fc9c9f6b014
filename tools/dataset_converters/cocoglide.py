"""CocoGlide: objects of COCO val2017 redrawn by GLIDE.

    fake/glide_inpainting_val2017_<id>_up.png     tampered
    mask/<class>_<id>_mask.png                    masks
    real/                                         authentic

Forgeries and masks are paired by the <id> of the COCO image.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, images_in, pair, relative


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    found = pair(
        root,
        images_in(root / 'fake'),
        images_in(root / 'mask'),
        image_key=lambda path: path.stem.removesuffix('_up').rpartition('_')[2],
        mask_key=lambda path: path.stem.removesuffix('_mask').rpartition('_')[2],
    )
    found.authentic = relative(images_in(root / 'real'), root)
    return {'test': found}


CONVERTER = Converter(__doc__, find, {'test': Counts(512, 512)})

if __name__ == '__main__':
    CONVERTER.run()
