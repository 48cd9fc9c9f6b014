"""Authentic images: finding them, reading them, and random views of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mmomni.jpeg import ImageReadError
from mmomni.jpeg.damage.integrity import decode_whole
from mmomni.jpeg.guarded import read_image_file
from mmomni.utils.files import IMAGE_SUFFIXES, Contents, contents_of, no_images_text
from mmomni.utils.quiet import without_words_of_decoders
from mmomni.utils.regular_files import open_regular

from .jpeg_history import MADE, NONE, OWN

LEAST_SIDE = 64
VIEW_SIDE = 192
LARGEST_UPSCALE = 1.5
# A shrink that leaves next to nothing of a compression before it; of pages, which are to be read.
FRESH_SCALE, FRESH_PAGE_SCALE = (0.5, 0.75), (0.6, 0.75)
# How often a source that is larger than its view is cut out at its own scale.
CUT_OUT = 0.25
# Windows to choose the richest of, and the grid of a JPEG with subsampled chroma.
WINDOWS, GRID = 4, 16


class View(NamedTuple):
    """What random views of a domain's images are like.

    Attributes:
        smallest: Least share of a side that is shown.
        whole: Whether a view at the source's own scale shows as much as it may.
        page: Whether a view shows writing at (nearly) its own scale, where there is most ink.
        flips: Whether half of the views are mirrored.
    """

    smallest: float = 0.6
    whole: bool = False
    page: bool = False
    flips: bool = True


def list_sources(sources: Sequence[Path]) -> list[Path]:
    """The images of :func:`survey_sources`."""
    return survey_sources(sources).images


def survey_sources(sources: Sequence[Path]) -> Contents:
    """All that some folders (with their subfolders) hold, and single files, images sorted in each.

    What of a folder is an image, :func:`~mmomni.utils.files.contents_of` says.

    Raises:
        FileNotFoundError: A source does not exist, or there is no image in any.
    """
    found, closed, others = list[Path](), dict[Path, str](), dict[Path, str]()
    for source in map(Path, sources):
        if source.is_dir():
            here = contents_of(source)
            found += here.images
            closed |= here.closed
            others |= here.others
        elif source.exists():  # who reads it says whether it is an image
            found.append(source)
        else:
            raise FileNotFoundError(
                f'expected a folder or an image at {source}, found nothing; check the path'
            )
    contents = Contents(list(dict.fromkeys(found)), closed, others)
    if not found:
        raise FileNotFoundError(
            f'expected images ({" ".join(sorted(IMAGE_SUFFIXES))}) in '
            f'{", ".join(map(str, sources))}, found none; give a folder that holds some'
            f'{no_images_text(contents)}'
        )
    return contents


def read_image(path: Path) -> np.ndarray:
    """Read any image as RGB, ``uint8`` (H, W, 3).

    Raises:
        ImageReadError: It cannot be read, or has pixels that were made up in decoding.
    """
    try:
        data = read_image_file(path)
    except OSError as error:
        raise ImageReadError(f'{path}: cannot be opened ({error}); check it') from error
    with without_words_of_decoders():
        return decode_whole(data, str(path))


def read_source(path: Path) -> np.ndarray:
    """Read any image as RGB, ``uint8`` (H, W, 3).

    Raises:
        ImageReadError: It cannot be read, or a side is shorter than 64 pixels.
    """
    image = read_image(path)
    if min(image.shape[:2]) < LEAST_SIDE:
        raise ImageReadError(
            f'{path}: expected at least {LEAST_SIDE} px a side, got '
            f'{image.shape[1]}x{image.shape[0]}; leave it out'
        )
    return image


def is_jpeg(path: Path) -> bool:
    """Whether a file begins as a JPEG does."""
    with open_regular(path) as file:
        return file.read(2) == b'\xff\xd8'


def can_be_shrunk(image: np.ndarray) -> bool:
    """Whether a source is large enough for a view of 192 px a side without its compression."""
    return min(image.shape[:2]) >= VIEW_SIDE / FRESH_SCALE[1]


def random_view(
    image: np.ndarray, kind: View, rng: np.random.Generator, max_side: int = 512, first: str = MADE
) -> np.ndarray:
    """A random crop, flip and size of an image, so that one source gives many forgeries.

    Pages are never flipped, and cut out at (nearly) their own scale: shrunk to ``max_side``, they
    cannot be read any more. One in four of the photos larger than their view is cut out at its own
    scale, too.

    Image and view are ``uint8`` (H, W, 3). The view is enlarged 1.5 times at most, has at most
    ``max_side`` px a side, and 192 px or more where that and the source allow it. For a ``first``
    generation of ``'own'``, it keeps scale and 8x8 grid of the source; for ``'none'``, it is shrunk
    to 0.5 to 0.75 where its size allows it.
    """
    if first == OWN:
        return _own_window(image, kind, rng, max_side)
    if kind.page:
        return _page_window(image, rng, max_side, first == NONE)
    larger = max(image.shape[:2]) > max_side
    if first != NONE and larger and rng.random() < CUT_OUT:
        view = _richest(image, rng, rng.uniform(kind.smallest, 1, 2) * max_side, _detail)
    else:
        least = VIEW_SIDE / FRESH_SCALE[1] if first == NONE else VIEW_SIDE
        sides = np.maximum(rng.uniform(kind.smallest, 1, 2) * image.shape[:2], least)
        view = _crop(image, rng, sides)
        view = _resize(view, _scale(view.shape, rng, max_side, first == NONE))
    flipped = kind.flips and rng.random() < 0.5
    return np.ascontiguousarray(view[:, ::-1] if flipped else view)


def _own_window(
    image: np.ndarray, kind: View, rng: np.random.Generator, max_side: int
) -> np.ndarray:
    """A window on the source's 8x8 grid, and on that of its chroma."""
    most = np.minimum(image.shape[:2], max_side)
    sides = np.maximum(rng.uniform(0.7, 1, 2) * most, np.minimum(VIEW_SIDE, most))
    if kind.whole:
        sides = most
    richness = _inked if kind.page else _detail
    return np.ascontiguousarray(_richest(image, rng, sides, richness, GRID))


def _page_window(
    image: np.ndarray, rng: np.random.Generator, max_side: int, fresh: bool
) -> np.ndarray:
    """The most inked of four windows, shrunk to 0.7 (0.6 where it must be) of its size at most."""
    scale = 1.0 if rng.random() < 0.5 else float(rng.uniform(0.7, 1))
    if fresh:
        scale = float(rng.uniform(*FRESH_PAGE_SCALE))
    most = max_side / scale
    least = VIEW_SIDE / scale if fresh else VIEW_SIDE
    sides = np.maximum(rng.uniform(0.7, 1, 2) * most, min(least, most))
    return _resize(_richest(image, rng, sides, _inked), scale)


def _richest(
    image: np.ndarray,
    rng: np.random.Generator,
    sides: np.ndarray,
    richness: Callable[[np.ndarray], float],
    step: int = 1,
) -> np.ndarray:
    return max((_crop(image, rng, sides, step) for _ in range(WINDOWS)), key=richness)


def _inked(view: np.ndarray) -> float:
    return float((view.max(axis=2) < 128).mean())


def _detail(view: np.ndarray) -> float:
    return float(view[::4, ::4].std())


def _crop(
    image: np.ndarray, rng: np.random.Generator, sides: np.ndarray, step: int = 1
) -> np.ndarray:
    size = np.array(image.shape[:2])
    height, width = (int(side) for side in np.minimum(sides, size))
    y = int(rng.integers(size[0] - height + 1)) // step * step
    x = int(rng.integers(size[1] - width + 1)) // step * step
    return image[y : y + height, x : x + width]


def _scale(size: tuple[int, ...], rng: np.random.Generator, max_side: int, fresh: bool) -> float:
    """A random scale that respects the longest side, the shortest side and the upscale limit."""
    longest, shortest = max(size[:2]), min(size[:2])
    if fresh:
        scale = max(float(rng.uniform(*FRESH_SCALE)), min(FRESH_SCALE[1], VIEW_SIDE / shortest))
        return min(scale, max_side / longest)
    if longest <= max_side and rng.random() < 0.3:
        return 1.0
    scale = max(rng.uniform(0.7, 1) * max_side / longest, VIEW_SIDE / shortest)
    return float(min(scale, LARGEST_UPSCALE, max_side / longest))


def _resize(image: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1:
        return np.ascontiguousarray(image)
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=method)
