"""CASIA v2.0: spliced and copy-moved photographs.

    Au/Au_*.{jpg,bmp}                    authentic
    Tp/Tp_*.{jpg,tif}                    tampered
    CASIA 2 Groundtruth/Tp_*_gt.png      masks (or Gt/, of the corrected ground truth)

Any arrangement of folders will do: files are told apart by their names. In the first release, 99
tampered images carry the wrong letter (Tp_D for copy-move, Tp_S for splicing) and one mask ends
in _gt3: these are paired all the same. Pairs of unequal size (17 in the first ground truth) are
left out.
"""

import argparse
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, images_in, pair, relative

MASK = re.compile(r'_gt\d*$')


def without_letter(stem: str) -> str:
    """The name but for S or D, the letter that the first release got wrong."""
    return re.sub(r'^Tp_[SD]_', 'Tp_', MASK.sub('', stem))


def key_among(stems: list[str]) -> Callable[[Path], str]:
    """Names without S or D where that tells the images apart, else the whole names."""
    count = Counter(without_letter(stem) for stem in stems)

    def key(path: Path) -> str:
        stem = MASK.sub('', path.stem)
        return stem if count[without_letter(stem)] > 1 else without_letter(stem)

    return key


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    files = images_in(root)
    tampered = [p for p in files if p.name.startswith('Tp_') and not MASK.search(p.stem)]
    masks = [p for p in files if MASK.search(p.stem)]
    if not masks:  # the corrected ground truth is sometimes unpacked without _gt
        masks = [p for p in tampered if p.parent.name.lower() in ('gt', 'groundtruth')]
        tampered = [p for p in tampered if p not in set(masks)]
    key = key_among([path.stem for path in tampered])
    found = pair(root, tampered, masks, key, key)
    found.authentic = relative([p for p in files if p.name.startswith('Au_')], root)
    return {'train': found}


CONVERTER = Converter(__doc__, find, {'train': Counts(tampered=5123, authentic=7491)})

if __name__ == '__main__':
    CONVERTER.run()
