"""CASIA v1.0: spliced and copy-moved photographs.

    Au/Au_*.jpg                                     authentic
    Modified Tp/Tp/{Sp,CM}/Sp_*.jpg  (or Tp/...)    tampered
    CASIA 1.0 groundtruth/{Sp,CM}/Sp_*_gt.png       masks

Any arrangement of folders will do: files are told apart by their names. One tampered image,
Sp_D_NRN_A_cha0011_sec0011_0542.jpg, has no mask and is left out.
"""

import argparse
import re
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, images_in, pair, relative

MASK = re.compile(r'_gt\d*$')


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    files = {path.name: path for path in reversed(images_in(root))}  # "Modified Tp" before "Tp"
    masks = [path for path in files.values() if MASK.search(path.stem)]
    images = [path for path in files.values() if not MASK.search(path.stem)]
    tampered = sorted(path for path in images if path.name.startswith(('Sp_', 'Tp_')))
    found = pair(root, tampered, sorted(masks), mask_key=lambda path: MASK.sub('', path.stem))
    authentic = sorted(path for path in images if path.name.startswith('Au_'))
    found.authentic = relative(authentic, root)
    return {'test': found}


CONVERTER = Converter(__doc__, find, {'test': Counts(tampered=920, authentic=800)})

if __name__ == '__main__':
    CONVERTER.run()
