"""From a list file, or folders, to the pairs of a set, with findings for all that is no pair."""

import os.path as osp
from pathlib import Path

from mmomni.datasets.folders import SYSTEM_FILES, pair_in_folders
from mmomni.datasets.lists import read_list
from mmomni.datasets.masks import is_mask
from mmomni.datasets.pairing import ANY_SUFFIX, MASK_FOLDERS, Suffixes
from mmomni.utils.file_kinds import untold_format
from mmomni.utils.files import files_below

from .records import DataSet


def pair_list(data_set: DataSet, path: str, root: str) -> None:
    """Fill a set from a list file; lines that cannot be understood become findings."""
    try:
        found = read_list(Path(path), root)
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        data_set.add('set-missing', path, f'the list file cannot be read ({reason})')
        return
    for fault in found.faults:
        data_set.add(fault.kind, path, f'{fault.place}: {fault.message}')
    data_set.pairs += [(pair.image, pair.mask) for pair in found.pairs]
    if not data_set.pairs:
        data_set.add('set-missing', path, 'the list file names no images')
    _name_shared_stems(data_set)


def _name_shared_stems(data_set: DataSet) -> None:
    stems: dict[str, set[str]] = {}
    for image, _ in data_set.pairs:
        stems.setdefault(osp.splitext(image)[0], set()).add(image)
    for images in stems.values():
        if len(images) > 1:
            first, *others = sorted(images)
            data_set.add('stem-shared', first, 'only the suffix differs', tuple(others))


def pair_folders(
    data_set: DataSet, images: str, masks: str | None, suffixes: Suffixes = ANY_SUFFIX
) -> None:
    """Fill a set from a folder of images and one of masks, paired by path without suffix."""
    found = pair_in_folders(images, masks, suffixes)
    for kind, file, message, _, related in found.misfits:
        data_set.add(kind, file, message, related)
    for left in found.left_out:
        misnamed = {path: kind for path in left.files if (kind := untold_format(path))}
        for path, kind in misnamed.items():
            message = f'it is {kind} by its content, and left out for its name'
            data_set.add('image-misnamed', str(path), message)
        rest = left.without(misnamed)  # what is to be renamed is not to be converted
        if rest.kinds:
            level = 'warning' if rest.images else None
            data_set.add('files-left-out', rest.folder, rest.kinds, level=level)
    if not found.pairs and not found.misfits:
        data_set.add('set-missing', images, 'there are no images in the folder')
    name = Path(images).name
    if found.pairs and name.lower() in MASK_FOLDERS:
        message = f'a folder called {name}/ is given as images; give the one above it'
        data_set.add('image-is-mask', images, message)
    masks_named = {file for kind, file, *_ in found.misfits if kind == 'image-is-mask'}
    data_set.pairs += [pair for pair in found.pairs if pair[0] not in masks_named]


def pair_tp_gt(data_set: DataSet, path: Path) -> None:
    """Fill a set from folders of CASIA's kind, which IMDL-BenCo and ForensicHub have too.

    All images in ``Tp/`` are tampered; their masks in ``Gt/`` have the same name or end in ``_gt``.
    Those in ``Au/``, if there are any, are authentic.
    """
    masks = _masks_of_gt(data_set, path / 'Gt')
    pair_folders(data_set, str(path / 'Tp'), None)
    tampered, data_set.pairs = data_set.pairs, []
    for image, _ in tampered:
        mask = masks.pop(_stem(Path(image), path / 'Tp'), None)
        if mask is None:
            data_set.add('mask-missing', image, f'no mask in {path / "Gt"} has its name')
        else:
            data_set.pairs.append((image, mask))
    for stem, mask in masks.items():
        data_set.add('mask-orphan', mask, f'no image in {path / "Tp"} has the stem {stem!r}')
    if (path / 'Au').is_dir():
        pair_folders(data_set, str(path / 'Au'), None)
    if not data_set.pairs:
        data_set.add('set-missing', str(path), 'there are no pairs in Tp/ and Gt/')


def _masks_of_gt(data_set: DataSet, folder: Path) -> dict[str, str]:
    """Masks by the stems of their images; what else is in their folder is named."""
    found, masks = files_below(folder, is_mask), dict[str, str]()
    for mask in found.wanted:
        stem = _stem(mask, folder).removesuffix('_gt')
        if masks.setdefault(stem, str(mask)) != str(mask):
            data_set.add('mask-orphan', str(mask), f'{masks[stem]} has the stem {stem!r} already')
    for other in found.others:
        if other.name.lower() not in SYSTEM_FILES:
            message = f'{other.suffix or "a name without suffix"} is not known as that of a mask'
            data_set.add('mask-unrecognised', str(other), message)
    return masks


def _stem(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix('').as_posix()
