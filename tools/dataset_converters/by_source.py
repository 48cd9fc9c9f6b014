"""A mixed set whose file names begin with their source: a list for each source.

    images/<source>_<name>.*    masks/<source>_<name>.*    paired by name; without a mask authentic

So that each source is scored for itself: <source>.txt.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Found, images_in, pair, relative


def source(path: Path) -> str:
    """Raises ``ValueError`` if the name has no source."""
    name, underscore, _ = path.stem.partition('_')
    if not (name and underscore):
        raise ValueError(f'{path}: expected a name like casia2_0001.jpg, got no source before _')
    return name


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    images, masks = images_in(root, 'images/*'), images_in(root, 'masks/*')
    masked = {path.stem for path in masks}
    found = {}
    for name in sorted({source(path) for path in (*images, *masks)}):
        own = [path for path in images if source(path) == name]
        forged = [path for path in own if path.stem in masked]
        found[name] = pair(root, forged, [path for path in masks if source(path) == name])
        found[name].authentic = relative([p for p in own if p.stem not in masked], root)
    if not found:
        raise FileNotFoundError(f'no images in {root}/images')
    return found


CONVERTER = Converter(__doc__, find)

if __name__ == '__main__':
    CONVERTER.run()
