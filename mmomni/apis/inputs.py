"""What can be predicted: files, folders, globs, bytes, open files, arrays and Pillow's images."""

import glob
import os
from collections.abc import Iterable, Iterator
from io import TextIOBase
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeGuard, cast

import numpy as np
from PIL import Image

from mmomni.utils.files import Contents, contents_of, counted_kinds

Input = str | Path | bytes | bytearray | memoryview | np.ndarray | Image.Image | IO[bytes]
_ONE = (str, Path, bytes, bytearray, memoryview, np.ndarray, Image.Image)


class Source(NamedTuple):
    """One input with the name that results and messages give it."""

    name: str
    content: Path | bytes | np.ndarray | Image.Image


def sources_of(inputs: Input | Iterable[Input]) -> list[Source]:
    """One source for each image: folders (all images below) and globs (as ``str``) are opened up.

    Which files of a folder are images, their content decides. Folders that cannot be entered are
    sources too, of which reading tells why. Open files are read at once, from where they stand.

    Raises:
        ValueError: A folder or glob holds no image.
        TypeError: Something that is none of these, or a file opened as text.
    """
    # None is what OpenCV makes of a file that it cannot read.
    several = [inputs] if _is_one(inputs) else list(cast('Iterable[Input]', inputs))
    return [source for number, item in enumerate(several) for source in _sources(item, number)]


def _is_one(inputs: Any) -> TypeGuard[Input]:
    """Whether it is one input and not many: open files can be iterated, too, by line."""
    return inputs is None or isinstance(inputs, _ONE) or hasattr(inputs, 'read')


def _sources(item: Input, number: int) -> Iterator[Source]:
    if isinstance(item, np.ndarray):
        yield Source(f'array {number}', item)
    elif isinstance(item, bytes | bytearray | memoryview):
        yield Source(f'bytes {number}', bytes(item))
    elif isinstance(item, Image.Image):
        yield Source(f'Pillow image {number}', item)
    elif isinstance(item, str | Path):
        found = opened_up(item)
        for path in (*found.images, *found.closed):
            yield Source(str(path), path)
    elif hasattr(item, 'read'):
        yield _of_open_file(item, number)
    else:
        raise TypeError(
            f'input {number}: expected a path, a folder, a glob, the bytes of a file, a file '
            f"opened with 'rb', an array (BGR uint8) or Pillow image, got {type(item).__name__}"
        )


def _of_open_file(file: IO[bytes], number: int) -> Source:
    """The rest of a file; all of one that was read to its end, as nothing else can be meant."""
    name = getattr(file, 'name', None)  # of one without a name on the disk a number, or nothing
    name = name if isinstance(name, str) else f'file {number}'
    data = b'' if isinstance(file, TextIOBase) else file.read()
    if isinstance(file, TextIOBase) or not isinstance(data, bytes):
        raise TypeError(
            f"{name}: expected a file opened for bytes, open(path, 'rb'), got one opened as text, "
            'which no image is'
        )
    if not data and file.seekable():
        file.seek(0)
        data = file.read()
    return Source(name, data)


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
