"""Images and their masks as paths, and what cannot be right about them.

Here it is decided once: training refuses what is no pair, and the doctor names all of it.
"""

import os
import os.path as osp
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

Pairs = list[tuple[str, str | None]]
"""Paths of images, and of their masks (``None``: authentic)."""


MASK_ENDINGS = ('_gt', '_mask', '_edgemask', '_groundtruth', '-gt', '-mask')
"""By which the field tells a mask from its image, in lower case."""
MASK_BEGINNINGS = ('mask_', 'gt_')
"""The same of how names begin."""
MASK_FOLDERS = frozenset((
    'mask', 'masks', 'gt', 'groundtruth', 'groundtruths', 'ground_truth', 'annotations', 'labels',
))  # fmt: skip
IMAGE_FOLDERS: tuple[list[str], ...] = ([], ['images'], ['image'], ['imgs'], ['img'], ['Tp'])
"""Where the images of such a folder are: in the one above, or in one beside it."""


class Suffixes(NamedTuple):
    """How the names of images and masks end, as mmseg has it; ``None``: in any known suffix."""

    image: str | None = None
    mask: str | None = None


ANY_SUFFIX = Suffixes()


class Misfit(NamedTuple):
    """A file that does not fit, so that the set cannot be trained on.

    Attributes:
        kind: Key of :data:`mmomni.inspection.kinds.KINDS`.
        file: Its path, or that of the folder.
        message: What is wrong with it.
        stem: Its path without what is not compared.
        related: Other files that it concerns.
    """

    kind: str
    file: str
    message: str
    stem: str = ''
    related: tuple[str, ...] = ()


REFUSALS = {
    'set-missing': '{messages}',
    'stem-collision': (
        '{files} share the stem {stem!r}, so masks cannot be paired with them; rename one, or use '
        'a list file (ann_file)'
    ),
    'mask-orphan': (
        '{count} masks have no image of the same stem, the first are {stems}; rename them, say how '
        'their names end (seg_map_suffix, img_suffix), or give the pairs in a list file (ann_file)'
    ),
    'mask-unrecognised': (
        '{count} files in the mask folder are no masks that can be read, so that their images '
        'would count as authentic: {names}; save them as PNG (or .npy, .mat), or move them away'
    ),
    'mask-is-image': (
        '{messages}{more}; correct the pairs, or, where masks lie beside images, say how the names '
        "of both end, seg_map_suffix='_gt.png' and img_suffix='.jpg'"
    ),
    'image-is-mask': (
        '{count} images look like masks: {names} ({messages}); move them to the mask folder, say '
        'how the names of images and masks end (img_suffix, seg_map_suffix), or rename them'
    ),
}  # fmt: skip


def refusal(name: str, misfits: Sequence[Misfit]) -> OSError | ValueError:
    """The error that ends the start of a training, about all misfits, a line for each kind."""
    kinds = list(dict.fromkeys(misfit.kind for misfit in misfits))
    lines = [_refused([misfit for misfit in misfits if misfit.kind == kind]) for kind in kinds]
    error = FileNotFoundError if kinds[0] == 'set-missing' else ValueError
    return error('\n  '.join([f'{name}: {lines[0]}', *lines[1:]]))


def _refused(alike: Sequence[Misfit]) -> str:
    """What is said of all misfits of one kind."""
    return REFUSALS[alike[0].kind].format(
        count=len(alike),
        names=[misfit.file for misfit in alike[:3]],
        stems=[misfit.stem for misfit in alike[:3]],
        messages=alike[0].message,
        more='' if len(alike) == 1 else f' (and {len(alike) - 1} more are so)',
        files=' and '.join((alike[0].file, *alike[0].related[:1])),
        stem=alike[0].stem,
    )


def misfits_of(pairs: Pairs, most: int | None = None) -> Iterator[Misfit]:
    """Files that are an image and a mask at once, by their paths or bytes.

    Args:
        pairs: All of a set.
        most: Of so many pairs, evenly spaced, the files are looked at; default: of all.
    """
    masks = {mask: image for image, mask in pairs if mask is not None}
    step = max(1, -(-len(masks) // (most or len(masks) or 1)))
    with_mask = 0
    for image, mask in pairs:
        with_mask += mask is not None
        if mask is not None and _is_mask_of(image, mask):
            message = f'it is called like a mask, and its mask {mask} like its image'
            yield Misfit('image-is-mask', image, message, related=(mask,))
        elif mask is not None and (
            image == mask or (with_mask % step == 0 and is_its_image(image, mask))
        ):
            message = f'the mask {mask} is its image {image} itself'
            yield Misfit('mask-is-image', mask, message, related=(image,))
        elif image in masks:
            message = f'it is the mask of {masks[image]}'
            yield Misfit('image-is-mask', image, message, related=(masks[image],))


def called_like_masks(by_stem: Mapping[str, Sequence[str]]) -> Iterator[Misfit]:
    """Images whose stem is another's with, say, ``_gt``, or in, say, ``masks/``, by their stems."""
    for stem, paths in by_stem.items():
        shown = next((each for each in _images_of(stem) if each in by_stem), None)
        if shown is not None:
            for path in paths:
                message = f'its name is that of a mask of {by_stem[shown][0]}'
                yield Misfit('image-is-mask', path, message, stem, tuple(by_stem[shown]))


def called_mask(path: str) -> bool:
    """Whether a file is called as the masks of many sets are."""
    *folders, name = osp.splitext(path)[0].lower().split('/')
    called = name.endswith(MASK_ENDINGS) or name.startswith(MASK_BEGINNINGS)
    return called or not MASK_FOLDERS.isdisjoint(folders)


def _is_mask_of(path: str, image: str) -> bool:
    return called_mask(path) and osp.splitext(image)[0] in _images_of(osp.splitext(path)[0])


def _images_of(stem: str) -> Iterator[str]:
    """Stems that the image would have if this were the stem of a mask."""
    lower = stem.lower()
    yield from (stem[: -len(end)] for end in MASK_ENDINGS if lower.endswith(end))
    *folders, name = stem.split('/')
    begun = [name[len(each) :] for each in MASK_BEGINNINGS if name.lower().startswith(each)]
    yield from ('/'.join([*folders, each]) for each in begun)
    for place, folder in enumerate(folders):
        if folder.lower() in MASK_FOLDERS:
            above, below = folders[:place], [*folders[place + 1 :], name]
            yield from ('/'.join([*above, *each, *below]) for each in IMAGE_FOLDERS)


def stems_of(pairs: Pairs) -> dict[str, list[str]]:
    """The images of a list by their paths without suffix, each once."""
    stems: dict[str, list[str]] = {}
    for image in dict.fromkeys(image for image, _ in pairs):
        stems.setdefault(osp.splitext(image)[0], []).append(image)
    return stems


def is_its_image(image: str, mask: str) -> bool:
    """Whether a mask is the very file that its image is, or has the same bytes.

    Only files of equal size are read. What cannot be read is not, and nor are records of databases.
    """
    if image == mask:
        return True
    try:
        a, b = os.stat(image), os.stat(mask)
        if not (stat.S_ISREG(a.st_mode) and stat.S_ISREG(b.st_mode)):
            return False
        if osp.samestat(a, b):
            return True
        same_size = a.st_size == b.st_size > 0
        return same_size and Path(image).read_bytes() == Path(mask).read_bytes()
    except (OSError, ValueError):
        return False


def pairs_of_stems(
    lines: Sequence[str], images: str, masks: str | None, suffixes: Suffixes
) -> Pairs:
    """Pairs of a list of mmseg: a path without suffix a line, the same for image and mask."""
    stems = [line.strip() for line in lines if line.strip()]
    image_end, mask_end = suffixes.image or '', suffixes.mask or '.png'
    return [
        (osp.join(images, stem + image_end), masks and osp.join(masks, stem + mask_end))
        for stem in stems
    ]
