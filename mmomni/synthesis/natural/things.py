"""Things to put into other photos: a folder of photos and of masks that say where they are."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mmomni.jpeg import ImageReadError
from mmomni.synthesis.authentic import read_image
from mmomni.synthesis.scene import Thing
from mmomni.utils.files import closed_text, contents_of, counted_kinds

# A thing that fills less of its photo is too small to be shown, in pixels a side.
LEAST_SIDE = 32


class Donors(NamedTuple):
    """What a folder of donors holds.

    Attributes:
        pairs: Photos, each with its mask.
        others: The kinds of files that are no images, by path.
    """

    pairs: list[tuple[Path, Path]]
    others: dict[Path, str]


def list_donors(folder: Path) -> list[tuple[Path, Path]]:
    """The pairs of :func:`survey_donors`."""
    return survey_donors(folder).pairs


def survey_donors(folder: Path) -> Donors:
    """Photo and mask in ``folder/images`` and ``folder/masks``, subfolders included.

    Raises:
        FileNotFoundError: There is no such folder, no photo in it, or a photo has no mask.
        PermissionError: A folder cannot be entered.
    """
    folder = Path(folder)
    for name in ('images', 'masks'):
        if not (folder / name).is_dir():
            raise FileNotFoundError(
                f'expected donors in {folder}/images and their masks (white: the thing) in '
                f'{folder}/masks, found no {name}; check the folder'
            )

    def name_of(path: Path, kind: str) -> Path:
        return path.relative_to(folder / kind).with_suffix('')

    of_images, of_masks = contents_of(folder / 'images'), contents_of(folder / 'masks')
    if closed := of_images.closed | of_masks.closed:
        raise PermissionError('\n  '.join(closed_text(*item) for item in closed.items()))
    others = of_images.others | of_masks.others
    masks = {name_of(path, 'masks'): path for path in of_masks.images}
    images = {path: name_of(path, 'images') for path in of_images.images}
    lacking = [path.name for path, name in images.items() if name not in masks]
    if lacking or not images:
        also = f' (not images: {counted_kinds(others.values())})' if others else ''
        raise FileNotFoundError(
            f'expected photos in {folder}/images, each with a mask of its path in {folder}/masks, '
            f'got {f"none for {lacking[0]}" if lacking else "no photo"}{also}; add or remove files'
        )
    return Donors([(path, masks[name]) for path, name in images.items()], others)


def read_thing(image_path: Path, mask_path: Path) -> Thing:
    """The thing of a pair of files.

    Raises:
        ImageReadError: A file cannot be read, their sizes differ, or the mask holds no thing of
            32 px a side.
    """
    image, mask = (read_image(path) for path in (image_path, mask_path))
    if image.shape != mask.shape:
        raise ImageReadError(
            f'{mask_path}: expected a mask of {image.shape[1]}x{image.shape[0]} px, the size of '
            f'{image_path}, got {mask.shape[1]}x{mask.shape[0]}; remove both'
        )
    thing = mask.max(axis=2) > 127
    sides = cv2.boundingRect(thing.astype(np.uint8))[2:]
    if min(sides) < LEAST_SIDE:
        raise ImageReadError(
            f'{mask_path}: expected a white thing of at least {LEAST_SIDE} px a side, got '
            f'{sides[0]}x{sides[1]}; remove it and its photo'
        )
    return Thing(image, thing)
