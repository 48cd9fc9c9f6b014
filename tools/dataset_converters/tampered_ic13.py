"""Tampered-IC13: scene text of ICDAR 2013, some words redrawn by SRNet.

    {train,test}_img/<id>.jpg
    {train,test}_gt/<id>.txt       x1,y1,x2,y2,label of each word; label 1: real, 2: tampered

Masks are made of the boxes of tampered words; an image of real words alone is authentic.
"""

import argparse
from pathlib import Path

from mmomni.datasets.box_masks import Box, add_boxed, box_of
from mmomni.datasets.list_files import Converter, Found, images_in
from mmomni.utils.text import read_text, text_lines

REAL, TAMPERED = '1', '2'


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    splits = {split: images_in(root / f'{split}_img', '*') for split in ('train', 'test')}
    if not any(splits.values()):
        return {'test': Found()}
    return {split: annotated(root, split, images) for split, images in splits.items() if images}


def annotated(root: Path, split: str, images: list[Path]) -> Found:
    found = Found()
    folder = root / f'{split}_gt'
    for path in images:
        name, words = path.relative_to(root).as_posix(), folder / f'{path.stem}.txt'
        try:
            add_boxed(found, root, name, read_boxes(words))
        except FileNotFoundError:
            found.left_out.append((name, f'image without {words.relative_to(root).as_posix()}'))
        except ValueError as error:
            found.left_out.append((name, f'{words.name}: {error}'))
    stems = {path.stem for path in images}
    unused = sorted(path for path in folder.glob('*.txt') if path.stem not in stems)
    found.left_out += [(p.relative_to(root).as_posix(), 'words without an image') for p in unused]
    return found


def read_boxes(path: Path) -> list[Box]:
    """Boxes of the tampered words; raises ``ValueError`` where a line is not understood."""
    boxes = []
    for line in filter(str.strip, text_lines(read_text(path))):
        *corners, label = line.strip().rstrip(',').split(',')
        if label.strip() not in (REAL, TAMPERED):
            raise ValueError(f'expected x1,y1,x2,y2 and 1 (real) or 2 (tampered), got {line!r}')
        box = box_of(corners)
        if label.strip() == TAMPERED:
            boxes.append(box)
    return boxes


CONVERTER = Converter(__doc__, find)

if __name__ == '__main__':
    CONVERTER.run()
