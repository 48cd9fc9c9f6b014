"""Which files of two folders are images and masks, and which belong together."""

import os.path as osp
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from mmomni.utils.file_kinds import claims_image
from mmomni.utils.files import (
    HIDDEN,
    FilesBelow,
    counted_kinds,
    files_below,
    find_by_stem,
    is_image,
)

from .configured import tp_gt
from .masks import is_mask
from .pairing import ANY_SUFFIX, Misfit, Pairs, Suffixes, called_like_masks

SYSTEM_FILES = frozenset(('thumbs.db', 'ehthumbs.db', 'desktop.ini'))
"""What a file manager leaves in folders of pictures, as it does hidden files elsewhere."""


class LeftOut(NamedTuple):
    """Files of a folder that are no samples and no masks.

    Attributes:
        folder: Where they are.
        files: Those that are not hidden.
        hidden: How many are.
    """

    folder: str
    files: list[Path]
    hidden: int

    @property
    def kinds(self) -> str:
        """How many of which, in words; empty for none."""
        suffixes = [path.suffix[1:].lower() or 'no suffix' for path in self.files]
        return counted_kinds([*suffixes, *[HIDDEN] * self.hidden])

    @property
    def images(self) -> bool:
        """Whether some call themselves images."""
        return any(map(claims_image, self.files))

    def without(self, files: Collection[Path]) -> 'LeftOut':
        """All but these."""
        return self._replace(files=[path for path in self.files if path not in files])


@dataclass
class FolderPairs:
    """What two folders hold."""

    pairs: Pairs = field(default_factory=list)
    misfits: list[Misfit] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def add(
        self, kind: str, file: str, message: str, stem: str = '', related: Sequence[str] = ()
    ) -> None:
        self.misfits.append(Misfit(kind, file, message, stem, tuple(related)))


@dataclass
class _Side:
    """The images, or the masks, of a folder."""

    folder: str
    suffix: str
    files: FilesBelow

    @cached_property
    def by_stem(self) -> dict[str, list[str]]:
        return find_by_stem(Path(self.folder), self.files.wanted, self.suffix)

    def without(self, is_taken: Callable[[Path], bool]) -> '_Side':
        """The same less the files that are something else."""
        kept, others = (
            [path for path in paths if not is_taken(path)]
            for paths in (self.files.wanted, self.files.others)
        )
        return _Side(self.folder, self.suffix, FilesBelow(kept, others, self.files.hidden))


def pair_in_folders(images: str, masks: str | None, suffixes: Suffixes) -> FolderPairs:
    """Pairs of a folder of images and one of masks, by their paths without suffix.

    Masks may lie in a folder below that of the images, or beside them if ``suffixes`` tell the two
    apart. Without ``masks``, all images are authentic. No file is opened.
    """
    found = FolderPairs()
    beside = masks is not None and osp.realpath(masks) == osp.realpath(images)
    if beside and suffixes.image == suffixes.mask:
        message = f'images and masks are both looked for in {images}, and nothing tells them apart'
        found.add('mask-is-image', images, message)
        return found
    rivals = suffixes if beside else ANY_SUFFIX
    image_side = _look(found, images, suffixes.image, is_image, rivals.mask)
    mask_side = None
    if masks is not None:
        mask_side = _look(found, masks, suffixes.mask, is_mask, rivals.image)
    if image_side is None:
        return found
    if mask_side is not None:
        below = Path(mask_side.folder)
        if beside:
            taken = set(mask_side.files.wanted)
            image_side = image_side.without(taken.__contains__)
        elif Path(image_side.folder) in below.parents:
            image_side = image_side.without(lambda path: below in path.parents)
        _name_collisions(found, mask_side)
        _name_orphans(found, image_side, mask_side)
        if not beside:
            _leave_out(found, _name_unrecognised(found, image_side, mask_side))
        _name_absence(found, image_side, mask_side)
    _name_collisions(found, image_side)
    found.misfits += called_like_masks(image_side.by_stem)
    _leave_out(found, image_side)
    of_stem = {} if mask_side is None else mask_side.by_stem
    for stem, paths in sorted(image_side.by_stem.items()):
        found.pairs += [(path, of_stem[stem][0] if stem in of_stem else None) for path in paths]
    return found


def _look(
    found: FolderPairs,
    folder: str,
    suffix: str | None,
    by_name: Callable[[Path], bool],
    rival: str | None,
) -> _Side | None:
    """The files of one side; ``None``: there is no such folder, or it cannot be entered."""
    if not osp.isdir(folder):
        message = (
            f'expected a folder at {folder}, found none; check data_root, or, if all images are '
            "authentic, set data_prefix=dict(img_path='images'); data_prefix names other folders"
            + tp_gt(osp.dirname(folder))
        )
        found.add('set-missing', folder, message)
        return None

    def is_wanted(path: Path) -> bool:
        mine = suffix is not None and path.name.endswith(suffix)
        # Of two endings that both fit, the longer one says more: a_gt.png is no image.
        if rival is not None and path.name.endswith(rival):
            return mine and len(suffix or '') > len(rival)
        return mine if suffix is not None else by_name(path)

    try:
        return _Side(folder, suffix or '', files_below(Path(folder), is_wanted))
    except OSError as error:
        found.add('set-missing', folder, str(error))
        return None


def _name_collisions(found: FolderPairs, side: _Side) -> None:
    for stem, paths in side.by_stem.items():
        if len(paths) > 1:
            message = f'{len(paths)} files have the stem {stem!r}'
            found.add('stem-collision', paths[0], message, stem, paths[1:])


def _name_orphans(found: FolderPairs, images: _Side, masks: _Side) -> None:
    for stem in sorted(set(masks.by_stem) - set(images.by_stem)):
        for mask in masks.by_stem[stem]:
            message = f'no image in {images.folder} has the stem {stem!r}'
            found.add('mask-orphan', mask, message, stem)


def _name_absence(found: FolderPairs, images: _Side, masks: _Side) -> None:
    """Of all masks, where nothing else was found that explains it."""
    if images.files.wanted and not masks.files.wanted and not found.misfits:
        ending = f' whose names end in {masks.suffix!r}' if masks.suffix else ''
        message = (
            f'expected masks{ending} in {masks.folder}, found none, so that every forgery would '
            "count as authentic; if all images are, set data_prefix=dict(img_path='images')"
        )
        found.add('set-missing', masks.folder, message)


def _name_unrecognised(found: FolderPairs, images: _Side, masks: _Side) -> _Side:
    """The masks' side with those others only that were left out by intent.

    That is what file managers leave and, where a set says how its masks end, what ends otherwise
    and is not the mask of an image that has none.
    """
    authentic = set(images.by_stem) - set(masks.by_stem)
    authentic = {stem.lower() for stem in authentic}
    ending = osp.splitext(masks.suffix)[0].lower()
    unread = set()
    for path in masks.files.others:
        stem = path.relative_to(masks.folder).with_suffix('').as_posix()
        near = {stem.lower(), stem.lower().removesuffix(ending)}
        if path.name.lower() in SYSTEM_FILES or (masks.suffix and not near & authentic):
            continue
        unread.add(path)
        message = f'{path.suffix or "a name without suffix"} is not known as that of a mask'
        if masks.suffix:
            message = f'its image has no mask, as its name does not end in {masks.suffix!r}'
        found.add('mask-unrecognised', str(path), message, stem)
    return masks.without(unread.__contains__)


def _leave_out(found: FolderPairs, side: _Side) -> None:
    if side.files.others or side.files.hidden:
        found.left_out.append(LeftOut(side.folder, side.files.others, side.files.hidden))
