"""NIST16 (Nimble Challenge 2016, NC2016_Test0613): splicing, copy-move and removal.

    probe/NC2016_*.jpg                                   images to examine
    reference/manipulation/NC2016-manipulation-ref.csv   which is what; columns separated by |
    reference/{manipulation,splice,remove}/mask/*.png    masks: BLACK is tampered

The masks are rewritten as 0/255 with white for tampered.
"""

import argparse
import csv
from pathlib import Path, PurePosixPath

from mmomni.datasets.list_files import Converter, Counts, Found, Pair, dark

REFERENCE = Path('reference', 'manipulation', 'NC2016-manipulation-ref.csv')
COLUMNS = ('ProbeFileName', 'ProbeMaskFileName', 'IsTarget')


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    found = Found()
    masks = {path.name.lower(): path for path in root.glob('reference/*/mask/*')}
    for row in read_reference(root / REFERENCE):
        image = row['ProbeFileName'].replace('\\', '/')
        named = row['ProbeMaskFileName'].replace('\\', '/')
        mask = root / named if (root / named).is_file() else masks.get(file_name(named))
        if not (root / image).is_file():
            found.left_out.append((image, 'named in the reference file, not there'))
        elif row['IsTarget'].upper() != 'Y':
            found.authentic.append(image)
        elif not named or mask is None:
            found.left_out.append((image, f'tampered image without its mask {named}'))
        else:
            found.tampered.append(Pair(image, mask.relative_to(root).as_posix()))
    used = {root / pair.mask for pair in found.tampered}
    unused = sorted(path for path in masks.values() if path not in used)
    names = [path.relative_to(root).as_posix() for path in unused]
    found.left_out += [(name, 'mask that the reference file does not name') for name in names]
    return {'test': found}


def file_name(path: str) -> str:
    return PurePosixPath(path).name.lower()


def read_reference(path: Path) -> list[dict[str, str]]:
    """Rows of the reference file; raises ``ValueError`` when a column is missing."""
    with path.open(encoding='utf-8-sig', newline='') as file:
        reader = csv.DictReader(file, delimiter='|')
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f'{path}: expected columns {COLUMNS} separated by |, miss {missing}')
        return [{column: (row[column] or '').strip() for column in COLUMNS} for row in reader]


CONVERTER = Converter(
    __doc__, find, {'test': Counts(564, 560)}, is_tampered=dark, resize_masks=True
)

if __name__ == '__main__':
    CONVERTER.run()
