"""From the tree of a published dataset to the list files that ``ManipulationDataset`` reads.

The scripts in ``tools/dataset_converters`` know where a set keeps its images and masks; this module
pairs them, looks at every pair, rewrites masks that do not say "not 0 = tampered", writes the
lists and compares the counts with the published ones. Knows nothing of torch or OpenMMLab.

A list file as it is written here has one line ``image<TAB>mask`` for each tampered image and
``image<TAB>-`` for each authentic one, relative to the root of the set. What had to be left out
follows as comments. :mod:`~mmomni.datasets.lists` reads it.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mmomni.jpeg import ImageReadError, decode
from mmomni.jpeg.guarded import opened_image_file, read_image_file
from mmomni.jpeg.orientation import stored_size
from mmomni.utils.files import is_hidden, is_image, replacing

from .masks import tampered_pixels

MASK_FOLDER = 'mmomni_masks'
HEADER = '# Written by mmomni: image <tab> mask, or - for an authentic image'
SHOWN = 20
"""So many names of one kind are printed; the list file has them all."""

IsTampered = Callable[[np.ndarray], np.ndarray]
"""A mask file's RGB pixels, ``uint8`` (H, W, 3), to booleans (H, W)."""


class Pair(NamedTuple):
    """Paths relative to the root of the set, with forward slashes."""

    image: str
    mask: str


class Counts(NamedTuple):
    """How many images a set is known to have; ``None`` where nothing reliable is published."""

    tampered: int | None = None
    authentic: int | None = None


@dataclass
class Found:
    """What a converter found of one split.

    Attributes:
        tampered: Images with their masks.
        authentic: Images that are known to be authentic.
        left_out: ``(path, reason)`` of everything that belongs to the split and cannot be used.
    """

    tampered: list[Pair] = field(default_factory=list)
    authentic: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Converter:
    """One dataset: how to read its tree, and what is known about it.

    Args:
        description: First line of ``--help``: name of the set and its tree.
        find: ``(root, options) -> {split: Found}``.
        published: Counts to compare with, by split.
        is_tampered: Which pixels of a mask file are tampered, where "not 0" is wrong; the masks are
            then rewritten as 0/255 PNGs in ``mmomni_masks/``.
        resize_masks: Fit a mask of another size to its image (nearest neighbour, in
            ``mmomni_masks/``) instead of leaving the pair out. Masks whose sides are swapped are
            left out always: nobody knows which way to turn them.
        add_options: Adds the set's own arguments to the parser.
    """

    description: str
    find: Callable[[Path, argparse.Namespace], Mapping[str, Found]]
    published: Mapping[str, Counts] = field(default_factory=dict)
    is_tampered: IsTampered | None = None
    resize_masks: bool = False
    add_options: Callable[[argparse.ArgumentParser], Any] | None = None

    def run(self, argv: Sequence[str] | None = None) -> None:
        """The command line of the script; ends the program with a message where nothing fits."""
        args = self._parse(argv)
        try:
            for split, found in self.find(args.root, args).items():
                if not found.tampered and not found.authentic:
                    raise FileNotFoundError(
                        f'no images of the {split} split under {args.root}; expected the tree '
                        'that --help shows'
                    )
                self._check_pairs(args.root, found)
                for path in _write(args.root, split, found, args.with_authentic):
                    print(path)  # noqa: T201  (this is a command line)
                _report(split, found, self.published.get(split, Counts()))
        except (OSError, ValueError) as error:
            raise SystemExit(f'error: {error}') from error

    def _parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        parser = argparse.ArgumentParser(
            description=self.description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument('root', type=Path, help='folder of the dataset')
        parser.add_argument(
            '--with-authentic', action='store_true',
            help='authentic images into the same list instead of SPLIT_authentic.txt',
        )  # fmt: skip
        if self.add_options is not None:
            self.add_options(parser)
        return parser.parse_args(argv)

    def _check_pairs(self, root: Path, found: Found) -> None:
        """Keep the pairs that can be read and fit, with the masks as they will be read."""
        usable = []
        for pair in found.tampered:
            try:
                usable.append(self._usable(root, pair))
            except (ImageReadError, OSError) as error:
                found.left_out.append((pair.image, str(error)))
        found.tampered = usable

    def _usable(self, root: Path, pair: Pair) -> Pair:
        image, mask = size_of(root / pair.image), size_of(root / pair.mask)
        resize = image != mask
        if resize and (not self.resize_masks or image == mask[::-1]):
            raise ImageReadError(f'{pair.mask} has another size, {mask} instead of {image}')
        if self.is_tampered is None and not resize:
            return pair
        source = Path(MASK_FOLDER, pair.mask)
        fitted = f'_{image[0]}x{image[1]}' if resize else ''  # a mask may serve several images
        target = source.with_name(f'{source.stem}{fitted}.png')
        _rewrite(root / pair.mask, root / target, self.is_tampered, image)
        return pair._replace(mask=target.as_posix())


# ---- finding -------------------------------------------------------------------------------


def images_in(folder: Path, pattern: str = '**/*') -> list[Path]:
    """All image files below ``folder`` but hidden ones, sorted; none if there is no folder."""
    return sorted(
        path for path in folder.glob(pattern)
        if is_image(path) and MASK_FOLDER not in path.parts and not is_hidden(path, folder)
    )  # fmt: skip


def relative(paths: Iterable[Path], root: Path) -> list[str]:
    """Paths as list files name them."""
    return [path.relative_to(root).as_posix() for path in paths]


def pair(
    root: Path,
    images: Iterable[Path],
    masks: Iterable[Path],
    image_key: Callable[[Path], str] = lambda path: path.stem,
    mask_key: Callable[[Path], str] = lambda path: path.stem,
) -> Found:
    """Pair tampered images and masks that have the same key.

    Several images may share a mask. Images without a mask, masks without an image and second masks
    of one key end in ``left_out``.
    """
    found = Found()
    by_key: dict[str, str] = {}
    for path in masks:
        key, name = mask_key(path), path.relative_to(root).as_posix()
        if by_key.setdefault(key, name) != name:
            found.left_out.append((name, f'second mask beside {by_key[key]}'))
    used = set()
    for path in images:
        key, name = image_key(path), path.relative_to(root).as_posix()
        if key in by_key:
            found.tampered.append(Pair(name, by_key[key]))
            used.add(key)
        else:
            found.left_out.append((name, 'tampered image without a mask'))
    unused = sorted(set(by_key) - used)
    found.left_out += [(by_key[key], 'mask without an image') for key in unused]
    return found


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of the stored pixels, by the file's header alone.

    Raises:
        ImageReadError: It is no image, no regular file or too large.
    """
    try:
        with opened_image_file(path, path.name) as image:
            return stored_size(image)
    except OSError as error:
        raise ImageReadError(f'cannot be read ({error})') from error


# ---- masks ---------------------------------------------------------------------------------


def dark(rgb: np.ndarray) -> np.ndarray:
    """Black means tampered (NIST16, DSO-1)."""
    return rgb.max(axis=2) < 128


def bright(rgb: np.ndarray) -> np.ndarray:
    """Above half of the brightest value: masks with soft or noisy edges."""
    grey = rgb.max(axis=2)
    return grey > int(grey.max()) / 2


def green(rgb: np.ndarray) -> np.ndarray:
    """Green rather than red (Columbia)."""
    return rgb[..., 1] > rgb[..., 0]


def _rewrite(
    source: Path, target: Path, is_tampered: IsTampered | None, size: tuple[int, int]
) -> None:
    """Write a 0/255 PNG of ``size`` (width, height) unless it is there and newer.

    Without a rule of the set's own, tampered is what it is in any file.
    """
    if target.is_file() and target.stat().st_mtime >= source.stat().st_mtime:
        return
    data, name = read_image_file(source), str(source)
    mask = is_tampered(decode(data, name)) if is_tampered else tampered_pixels(data, name)
    image = Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as unfinished:
        image.resize(size, Image.Resampling.NEAREST).save(unfinished, 'PNG')


# ---- writing and reporting -----------------------------------------------------------------


def _write(root: Path, split: str, found: Found, with_authentic: bool) -> Iterator[Path]:
    tampered = [f'{image}\t{mask}' for image, mask in found.tampered]
    authentic = [f'{image}\t-' for image in found.authentic]
    comments = [f'# left out: {path}: {reason}' for path, reason in found.left_out]
    if not tampered or not authentic or with_authentic:
        yield _write_list(root / f'{split}.txt', [*tampered, *authentic, *comments])
    else:
        yield _write_list(root / f'{split}.txt', [*tampered, *comments])
        yield _write_list(root / f'{split}_authentic.txt', authentic)


def _write_list(path: Path, lines: Sequence[str]) -> Path:
    if path.is_file() and not path.read_text(encoding='utf-8').startswith(HEADER):
        raise FileExistsError(f'{path} was not written by this script; move it away first')
    path.write_text('\n'.join([HEADER, *lines, '']), encoding='utf-8')
    return path


def _report(split: str, found: Found, published: Counts) -> None:
    lines = [
        _compare(split, 'tampered', len(found.tampered), published.tampered),
        _compare(split, 'authentic', len(found.authentic), published.authentic),
        f'{split}: {len(found.left_out)} files left out',
    ]
    lines += [f'  {path}: {reason}' for path, reason in found.left_out[:SHOWN]]
    if len(found.left_out) > SHOWN:
        lines.append(f'  ... all of them are named at the end of {split}.txt')
    print('\n'.join(lines))  # noqa: T201  (this is a command line)


def _compare(split: str, kind: str, count: int, published: int | None) -> str:
    if published is None:
        return f'{split}: {count} {kind} images'
    verdict = 'as published' if count == published else f'DIFFERS from the published {published}'
    return f'{split}: {count} {kind} images, {verdict}'
