"""OSTF: scene text redrawn by eight models, for testing on models that training has not seen.

    <model>/*                      images, in mmacc/ or in the root itself
    <model>_{train,test}.pk        boxes, there, in mmacc_pks/ or in the root

Models are srnet, stefann, mostel, derend, diffste, anytext, udifftext, textdiff, and textocr (other
photographs). Each list of boxes becomes a list file of its name: srnet_test.txt. Label 1 is
tampered, 0 authentic; masks are made of the boxes. srnet is Tampered-IC13.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmomni.datasets.box_masks import Box, add_boxed, box_of
from mmomni.datasets.list_files import Converter, Found
from mmomni.datasets.plain_pickles import read_plain

FOLDERS = ('mmacc', 'mmacc_pks', '.')
AUTHENTIC, TAMPERED = 0, 1


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    files = {path.stem: path for folder in FOLDERS for path in (root / folder).glob('*_t*.pk')}
    if not files:
        raise FileNotFoundError(
            f'{root}: expected lists of boxes such as mmacc/srnet_test.pk, found none'
        )
    return {name: annotated(root, files[name]) for name in sorted(files)}


def annotated(root: Path, path: Path) -> Found:
    found = Found()
    for name, boxes in read_boxes(path):
        if not isinstance(boxes, list):
            found.left_out.append((name, boxes))
            continue
        add_boxed(found, root, located(root, name, path.stem.rpartition('_')[0]), boxes)
    return found


def located(root: Path, name: str, model: str) -> str:
    """The image that a list of boxes calls mmacc/srnet/1.jpg or 1.jpg, relative to the root."""
    inner = name.replace('\\', '/').rpartition('mmacc/')[2]
    candidates = [f'mmacc/{inner}', inner, f'mmacc/{model}/{inner}', f'{model}/{inner}']
    return next((path for path in candidates if (root / path).is_file()), candidates[0])


def read_boxes(path: Path) -> Iterator[tuple[str, list[Box] | str]]:
    """Images with the boxes of their tampered words, or what is wrong with them.

    Raises:
        ValueError: It is no pickle of ``{image: {'w': 640, 'h': 480, 'b': [[8, 4, 60, 20, 1]]}}``.
    """
    content = read_plain(path)
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise ValueError(f'{path}: expected a dictionary of images and boxes, got a {kind}')
    for name, entry in content.items():
        try:
            yield str(name), [box_of(word[:4]) for word in entry['b'] if is_tampered(word)]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            yield str(name), f'boxes that are not understood ({type(error).__name__}: {error})'


def is_tampered(word: Any) -> bool:
    if int(word[4]) not in (AUTHENTIC, TAMPERED):
        raise ValueError(f'expected a label of 0 or 1, got {word[4]}')
    return int(word[4]) == TAMPERED


CONVERTER = Converter(__doc__, find)

if __name__ == '__main__':
    CONVERTER.run()
