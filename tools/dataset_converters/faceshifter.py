"""FaceShifter subset of HiFi-IFDL: swapped faces.

    FaShifter.txt                 names of the images in FaShifter/, in the order of the split
    FaShifter/<id>.<suffix>       tampered
    FaShifter/mask/<id>_mask.*    masks, soft: tampered above one half

The last --test-count names are for testing, the rest for training, as in the code of HiFi-Net.
Lines that name masks or arrays are skipped. Without FaShifter.txt the order is that of the names.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Found, Pair, bright, images_in, pair
from mmomni.utils.text import read_text, text_lines

FOLDER = 'FaShifter'


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--test-count', type=int, default=900)


def find(root: Path, args: argparse.Namespace) -> dict[str, Found]:
    folder = root / FOLDER
    order = listed(root / f'{FOLDER}.txt', folder)
    found = pair(
        root,
        images_in(folder, '*') if order is None else [path for path in order if path.is_file()],
        images_in(folder / 'mask'),
        mask_key=lambda path: path.stem.removesuffix('_mask'),
    )
    missing = [path for path in order or [] if not path.is_file()]
    found.left_out += [(path.name, 'named in FaShifter.txt, not there') for path in missing]
    order = order or images_in(folder, '*')
    last = {path.relative_to(root).as_posix() for path in order[-args.test_count :]}
    test = Found(tampered=[p for p in found.tampered if in_split(p, last)])
    found.tampered = [p for p in found.tampered if not in_split(p, last)]
    return {'train': found, 'test': test}


def in_split(pair: Pair, names: set[str]) -> bool:
    return pair.image in names


def listed(path: Path, folder: Path) -> list[Path] | None:
    """The images that the list names, once each; ``None`` if there is no list."""
    if not path.is_file():
        return None
    names = [line.strip() for line in text_lines(read_text(path))]
    names = [name for name in names if name and '.npy' not in name and 'mask' not in name]
    return [folder / name for name in dict.fromkeys(names)]


CONVERTER = Converter(__doc__, find, is_tampered=bright, add_options=add_options)

if __name__ == '__main__':
    CONVERTER.run()
