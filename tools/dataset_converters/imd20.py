"""IMD2020, real-life manipulated images.

    <id>/<id>_orig.jpg           authentic
    <id>/<name>_0.{jpg,png}      tampered, any number of them
    <id>/<name>_0_mask.png       their masks

One mask (z14/00030_fake) has another size than its image; it is resized.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, images_in, pair, relative


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    files = images_in(root, '*/*')
    masks = [path for path in files if path.stem.endswith('_mask')]
    authentic = [path for path in files if path.stem.endswith('_orig')]
    others = {*masks, *authentic}
    found = pair(
        root,
        [path for path in files if path not in others],
        masks,
        image_key=lambda path: f'{path.parent.name}/{path.stem}',
        mask_key=lambda path: f'{path.parent.name}/{path.stem.removesuffix("_mask")}',
    )
    found.authentic = relative(authentic, root)
    return {'test': found}


CONVERTER = Converter(__doc__, find, {'test': Counts(tampered=2010)}, resize_masks=True)

if __name__ == '__main__':
    CONVERTER.run()
