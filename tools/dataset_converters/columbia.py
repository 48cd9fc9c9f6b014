"""Columbia Uncompressed Image Splicing Detection Evaluation Dataset.

    4cam_auth/*.{tif,bmp}                      authentic
    4cam_splc/*.{tif,bmp}                      tampered
    4cam_splc/edgemask/*_edgemask.jpg          masks: GREEN is spliced in, RED is the host

Either colour is brighter along the edge. The masks are rewritten as 0/255.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, green, images_in, pair, relative


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    found = pair(
        root,
        images_in(root / '4cam_splc', '*'),
        images_in(root / '4cam_splc' / 'edgemask'),
        mask_key=lambda path: path.stem.removesuffix('_edgemask'),
    )
    found.authentic = relative(images_in(root / '4cam_auth', '*'), root)
    return {'test': found}


CONVERTER = Converter(__doc__, find, {'test': Counts(180, 183)}, is_tampered=green)

if __name__ == '__main__':
    CONVERTER.run()
