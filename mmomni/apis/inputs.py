"""What can be predicted: files, folders, globs, bytes and arrays."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmomni.utils.files import Contents, contents_of, counted_kinds

Input = str | Path | bytes | np.ndarray


class Source(NamedTuple):
    """One input with the name that results and messages give it."""

    name: str
    content: Path | bytes | np.ndarray


def sources_of(inputs: Input | Iterable[Input]) -> list[Source]:
    """One source for each image: folders (all images below) and globs (as ``str``) are opened up.

    Which files of a folder are images, their content decides. Folders that cannot be entered are
    sources too, of which reading tells why.

    Raises:
        ValueError: A folder or glob holds no image.
        TypeError: Something that is neither path, bytes nor array.
    """
    # None is what OpenCV makes of a file that it cannot read.
    several = [inputs] if inputs is None or isinstance(inputs, Input) else list(inputs)
    return [source for number, item in enumerate(several) for source in _sources(item, number)]


def _sources(item: Input, number: int) -> Iterator[Source]:
    if isinstance(item, np.ndarray):
        yield Source(f'array {number}', item)
    elif isinstance(item, bytes):
        yield Source(f'bytes {number}', item)
    elif isinstance(item, str | Path):
        found = opened_up(item)
        for path in (*found.images, *found.closed):
            yield Source(str(path), path)
    else:
        raise TypeError(
            f'input {number}: expected a path, a folder, a glob, the bytes of a file or an array '
            f'(BGR uint8), got {type(item).__name__}'
        )


def opened_up(item: str | Path) -> Contents:
    """What a path stands for: all below a folder, the matches of a glob, or the path itself.

    Files that are named, or match, are looked at whatever they are.

    Raises:
        ValueError: A folder or glob holds no image.
    """
    # os.path takes any text for a path; those that cannot be one are told apart on reading.
    if os.path.isdir(item):
        found = contents_of(Path(item))
        if not found.images and not found.closed:
            holds = counted_kinds(found.others.values())
            raise ValueError(f'{item}: expected images in this folder, got {holds or "no file"}')
        return found
    if isinstance(item, str) and not os.path.exists(item) and glob.has_magic(item):
        matches = glob.glob(item, recursive=True)
        images = sorted(Path(match) for match in matches if not os.path.isdir(match))
        if not images:
            raise ValueError(f'{item}: expected images there, no file matches')
        return Contents(images, {}, {})
    return Contents([Path(item)], {}, {})
