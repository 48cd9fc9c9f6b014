"""DSO-1: people spliced into group photographs.

    DSO-1/normal-*.png                        authentic
    DSO-1/splicing-*.png                      tampered
    DSO-1-Fake-Images-Masks/splicing-*.png    masks: BLACK is tampered

ROOT is the folder tifs-database. The masks are rewritten as 0/255 with white for tampered.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, dark, images_in, pair, relative


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    found = pair(
        root,
        images_in(root / 'DSO-1', 'splicing-*'),
        images_in(root / 'DSO-1-Fake-Images-Masks'),
    )
    found.authentic = relative(images_in(root / 'DSO-1', 'normal-*'), root)
    return {'test': found}


CONVERTER = Converter(
    __doc__, find, {'test': Counts(100, 100)}, is_tampered=dark, resize_masks=True
)

if __name__ == '__main__':
    CONVERTER.run()
