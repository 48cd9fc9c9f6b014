"""What can be predicted: paths of all kinds, bytes, open files, arrays and images of Pillow."""

import glob
import os
from collections.abc import Iterable, Iterator
from io import TextIOBase
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeGuard, cast

import numpy as np
from PIL import Image

from mmomni.jpeg import pdf
from mmomni.utils.files import Contents, contents_of, counted_kinds, url_in

from .lists import STANDARD_INPUT, is_text_file, listed_paths
from .pictures import Picture, pictures_in, pictures_of_pdf


class Source(NamedTuple):
    """One image with the name that results and messages give it.

    Attributes:
        name: The path, ``array 3`` or ``bytes 3``; of a picture among several in a file with
            ``(page 2)`` behind it.
        content: The file, its bytes, or pixels.
        picture: Which picture of the file it is; ``None``: the only one.
    """

    name: str
    content: Path | bytes | np.ndarray | Image.Image
    picture: Picture | None = None


Input = str | Path | bytes | bytearray | memoryview | np.ndarray | Image.Image | IO[bytes] | Source
_ONE = (str, Path, bytes, bytearray, memoryview, np.ndarray, Image.Image, Source)


class Opened(NamedTuple):
    """What an input stands for.

    Attributes:
        root: The folder that the paths are relative to, as a person sees it.
        sources: Its images. Folders that cannot be entered are among them: reading tells why.
        others: The kinds of the files that are no images, by path.
    """

    root: Path
    sources: list[Source]
    others: dict[Path, str]


def sources_of(inputs: Input | Iterable[Input]) -> list[Source]:
    """One source for each image: what stands for many is opened up.

    That are folders (all images below), globs (as ``str``), lists of files (``*.txt``, and ``-``
    for standard input), and files of several pictures. Which files of a folder are images, their
    content decides. Folders that cannot be entered are sources too, of which reading tells why.
    Open files are read at once, from where they stand. What a list, glob or folder holds several
    times is one source.

    Raises:
        ValueError: A folder, glob or list holds no image.
        TypeError: Something that is none of these, or a file opened as text.
    """
    # None is what OpenCV makes of a file that it cannot read.
    is_one = _is_one(inputs) or not isinstance(inputs, Iterable)
    several = cast('list[Input]', [inputs] if is_one else list(cast('Iterable[Input]', inputs)))
    return [source for number, item in enumerate(several) for source in _sources(item, number)]


def _is_one(inputs: Any) -> TypeGuard[Input]:
    """Whether it is one input and not many: open files can be iterated, too, by line."""
    return inputs is None or isinstance(inputs, _ONE) or hasattr(inputs, 'read')


def _sources(item: Input, number: int) -> Iterator[Source]:
    if isinstance(item, Source):
        yield item
    elif isinstance(item, np.ndarray):
        yield Source(f'array {number}', item)
    elif isinstance(item, bytes | bytearray | memoryview):
        yield from pictures_as_sources(bytes(item), f'bytes {number}')
    elif isinstance(item, Image.Image):
        yield Source(f'Pillow image {number}', item)
    elif isinstance(item, str | Path):
        yield from _each_once(source for opened in opened_up(item) for source in opened.sources)
    elif hasattr(item, 'read'):
        yield from _sources_of_open_file(item, number)
    else:
        raise TypeError(
            f'input {number}: expected a path, a folder, a glob, the bytes of a file, a file '
            f"opened with 'rb', an array (BGR uint8) or Pillow image, got {type(item).__name__}"
        )


def _each_once(sources: Iterable[Source]) -> Iterator[Source]:
    """Each picture of each path; a link to a file is a file of its own."""
    seen = set()
    for source in sources:
        folder, name = os.path.split(str(source.content))
        key = os.path.realpath(folder), name, source.picture and source.picture.name
        if key not in seen:
            seen.add(key)
            yield source


def pictures_as_sources(file: Path | bytes, name: str) -> list[Source]:
    """One source for each picture in a file."""
    pictures = pictures_in(file)
    return [_of_picture(file, name, each) for each in pictures] or [Source(name, file)]


def _sources_of_open_file(file: IO[bytes], number: int) -> list[Source]:
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
    return pictures_as_sources(data, name)


def _of_picture(file: Path | bytes, name: str, picture: Picture) -> Source:
    return Source(f'{name} ({picture.name})', file, picture)


def opened_up(item: str | Path) -> Iterator[Opened]:
    """What a path stands for: all below a folder, the matches of a glob, all in a list, or itself.

    Files that are named, or match, are looked at whatever they are. What a list names is taken
    as it is: no glob, and no list.

    Raises:
        ValueError: A folder, glob or list holds no image.
    """
    # os.path takes any text for a path; those that cannot be one are told apart on reading.
    if item == STANDARD_INPUT or is_text_file(item):
        listed = listed_paths(item)
        for path, root in listed:
            yield _opened_folder(path) if os.path.isdir(path) else _opened_files(root, [path])
        if listed:
            return
    if os.path.isdir(item):
        yield _required(_opened_folder(Path(item)), f'{item}: expected images in this folder')
    elif isinstance(item, str) and _is_glob(item):
        yield _required(_opened_glob(item), f'{item}: expected images there')
    else:
        yield _opened_files(Path(item).parent, [Path(item)])


def _is_glob(item: str) -> bool:
    return glob.has_magic(item) and not os.path.exists(item) and not url_in(item)


def _required(opened: Opened, expected: str) -> Opened:
    if not opened.sources:
        holds = counted_kinds(opened.others.values())
        raise ValueError(f'{expected}, got {holds or "no file"}')
    return opened


def _opened_files(root: Path, paths: Iterable[Path]) -> Opened:
    return Opened(root, [s for path in paths for s in pictures_as_sources(path, str(path))], {})


def _opened_folder(folder: Path) -> Opened:
    return _opened_contents(folder, contents_of(folder))


def _opened_contents(root: Path, contents: Contents) -> Opened:
    """Images, with those of PDFs; a PDF that holds none, or cannot be opened here, is no image."""
    others = dict(contents.others)
    found = {path: pictures_as_sources(path, str(path)) for path in contents.images}
    for path in sorted(path for path, kind in others.items() if kind == 'pdf'):
        if sources := _sources_of_pdf(path):
            found[path] = sources
            del others[path]
    found.update((path, [Source(str(path), path)]) for path in contents.closed)
    sources = [source for path in _in_order(contents, found) for source in found[path]]
    return Opened(root, sources, others)


def _in_order(contents: Contents, found: Iterable[Path]) -> list[Path]:
    """Files sorted, closed folders last."""
    return [*sorted(path for path in found if path not in contents.closed), *contents.closed]


def _sources_of_pdf(path: Path) -> list[Source]:
    if not pdf.is_available():
        return []
    try:
        return [_of_picture(path, str(path), each) for each in pictures_of_pdf(path)]
    except (OSError, ValueError):
        # Without a stream there is no picture, whatever else is wrong with it.
        return [Source(str(path), path)] if pdf.has_streams(path) else []


def _opened_glob(pattern: str) -> Opened:
    """What matches; folders that do are opened up, as if a shell had given them."""
    matches = sorted(map(Path, glob.glob(pattern, recursive=True)))
    if not matches:
        raise ValueError(f'{pattern}: expected images there, no file matches')
    found: dict[Path, list[Source]] = {}
    others: dict[Path, str] = {}
    entered: list[Path] = []
    for folder in filter(os.path.isdir, matches):
        if not any(folder.is_relative_to(above) for above in entered):
            entered.append(folder)
            opened = _opened_folder(folder)
            others.update(opened.others)
            for source in opened.sources:
                found.setdefault(Path(str(source.content)), []).append(source)
    for path in (path for path in matches if not os.path.isdir(path) and path not in found):
        found[path] = pictures_as_sources(path, str(path))
        others.pop(path, None)
    sources = [source for path in sorted(found) for source in found[path]]
    return Opened(_root(pattern), sources, others)


def _root(pattern: str) -> Path:
    """The part of a glob before its first magic."""
    root = Path(pattern).parent
    while glob.has_magic(str(root)) and not root.exists():
        root = root.parent
    return root
