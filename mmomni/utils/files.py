"""Files: which of them are images, what they hold, and how one is written whole or not at all."""

import difflib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from .file_kinds import IMAGE_SUFFIXES, claims_image, kind_of
from .regular_files import open_regular

HIDDEN = 'hidden'
LISTED_KINDS = 40


def is_image(path: Path) -> bool:
    """Whether a file is an image, by its name."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def find_images(folder: Path) -> list[Path]:
    """All image files below a folder, by their names, linked subfolders included, sorted.

    Hidden files are none, see :func:`contents_of`.

    Raises:
        OSError: A folder cannot be entered.
    """
    return files_below(folder, is_image).wanted


class FilesBelow(NamedTuple):
    """Every file below a folder, by its name.

    Attributes:
        wanted: Those looked for, sorted.
        others: Those that are neither these nor hidden, sorted.
        hidden: So many are hidden.
    """

    wanted: list[Path]
    others: list[Path]
    hidden: int


def files_below(folder: Path, is_wanted: Callable[[Path], bool]) -> FilesBelow:
    """All files below a folder, linked subfolders included; none of them is opened.

    Raises:
        OSError: A folder cannot be entered, so that files in it would be passed over.
    """
    wanted: list[Path] = []
    others: list[Path] = []
    hidden = 0

    def refuse(error: OSError) -> None:
        path = Path(os.fsdecode(error.filename or folder))
        if not is_hidden(path, folder):
            raise type(error)(
                f'{path}: this folder cannot be entered ({error.strerror or error}), so that its '
                'files would be left out; make it readable, or move it away'
            ) from error

    for path in _walk(folder, refuse):
        if is_hidden(path, folder):
            hidden += 1
        else:
            (wanted if is_wanted(path) else others).append(path)
    return FilesBelow(sorted(wanted), sorted(others), hidden)


def is_hidden(path: Path, folder: Path) -> bool:
    """Whether a part of a path below a folder begins with a dot."""
    return any(part.startswith('.') for part in path.relative_to(folder).parts)


class Contents(NamedTuple):
    """Every file below a folder, in one of three places.

    Attributes:
        images: Files to be looked at, readable or not, sorted.
        closed: Folders that cannot be entered, and why.
        others: The kinds of all other files, by path.
    """

    images: list[Path]
    closed: dict[Path, str]
    others: dict[Path, str]


def contents_of(folder: Path) -> Contents:
    """All that lies below a folder, linked subfolders included.

    A file is an image if its first bytes say so, or its suffix (then perhaps a broken one). Files
    and folders whose names begin with a dot are copies and notes of programs: they are ``hidden``.
    """
    images: list[Path] = []
    closed: dict[Path, str] = {}
    others: dict[Path, str] = {}

    def note(error: OSError) -> None:
        path = Path(os.fsdecode(error.filename or folder))
        if is_hidden(path, folder):
            others[path] = HIDDEN
        else:
            closed[path] = error.strerror or str(error)

    for path in _walk(folder, note):
        if is_hidden(path, folder):
            others[path] = HIDDEN
        # A name that says so is enough: that file need not be opened here.
        elif claims_image(path) or (kind := kind_of(path)).is_image:
            images.append(path)
        else:
            others[path] = kind.name
    return Contents(sorted(images), closed, others)


def closed_text(folder: Path, reason: str) -> str:
    """That a folder among :attr:`Contents.closed` was left out."""
    return f'{folder}: a folder that cannot be entered ({reason}); allow it and run again'


def no_images_text(contents: Contents) -> str:
    """What there is instead of images, in brackets behind a blank; empty for nothing."""
    seen = [closed_text(*item) for item in contents.closed.items()]
    if contents.others:
        seen.append(f'not images: {counted_kinds(contents.others.values())}')
    return f' ({"; ".join(seen)})' if seen else ''


def _walk(folder: Path, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    """All files below a folder; those of linked folders too, once."""
    entered: set[str] = set()
    for root, folders, files in os.walk(folder, onerror=on_error, followlinks=True):
        entered.add(os.path.realpath(root))
        # A link back to a folder above would never end.
        folders[:] = [f for f in folders if os.path.realpath(os.path.join(root, f)) not in entered]
        folders.sort(key=lambda name: name.startswith('.'))  # what a link makes visible comes first
        yield from (Path(root, name) for name in files)


def counted_kinds(kinds: Iterable[str]) -> str:
    """``'5 pdf, 3 txt'``, the most frequent first; the numbers add up, however many kinds."""
    counts = sorted(Counter(kinds).items(), key=lambda item: (-item[1], item[0]))
    listed = [f'{number} {kind}' for kind, number in counts[:LISTED_KINDS]]
    if rest := counts[LISTED_KINDS:]:
        listed.append(f'{sum(number for _, number in rest)} of {len(rest)} other kinds')
    return ', '.join(listed)


def refuse_missing(paths: Iterable[Path]) -> None:
    """Raises ``FileNotFoundError`` that names all paths that do not exist."""
    missing = [path for path in paths if not os.path.exists(path)]
    if missing:
        raise FileNotFoundError('\n  '.join(map(missing_text, missing)))


def missing_text(path: Path) -> str:
    """That a path does not exist, from where on, and what is called almost so."""
    if url := url_in(path):
        return f'{url}: a URL, and URLs are not fetched; download it first and give the file'
    if os.path.islink(path):
        return f'{path}: a link to {os.path.realpath(path)}, which does not exist'
    gone = path
    while not os.path.lexists(gone.parent) and gone.parent != gone:
        gone = gone.parent
    try:
        names = os.listdir(gone.parent)
    except PermissionError:
        return f'{path}: cannot be reached, because the folder {gone.parent} cannot be entered'
    except OSError:  # not a folder
        names = []
    above = '' if gone == path else f', nor does {gone}'
    close = difflib.get_close_matches(gone.name, names, n=1)
    hint = f'; the closest name there is {close[0]!r}' if close else ''
    return f'{path}: does not exist{above}{hint}'


def url_in(path: str | Path) -> str:
    """The URL that somebody took for a path, perhaps made absolute; empty where there is none."""
    found = re.search(r'(?:^|[/\\])((?:https?|ftp|s3|gs):)/+(.+)$', str(path), re.IGNORECASE)
    return f'{found[1]}//{found[2]}' if found else ''


def find_by_stem(
    folder: Path, paths: Iterable[Path] | None = None, suffix: str = ''
) -> dict[str, list[str]]:
    """Image files below a folder by their path in it without the suffix, as masks are paired.

    Args:
        folder: The paths without suffix are relative to it.
        paths: Files below it; default: its images.
        suffix: How their names end; default: each in what follows its last dot.

    Raises:
        OSError: A folder cannot be entered.
    """
    found: dict[str, list[str]] = {}
    for path in find_images(folder) if paths is None else paths:
        below = path.relative_to(folder)
        stem = below.as_posix()[: -len(suffix)] if suffix else below.with_suffix('').as_posix()
        found.setdefault(stem, []).append(str(path))
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def copies_among(paths: Iterable[Path]) -> dict[Path, Path]:
    """Files with the bytes of an earlier one, with that one; only those of equal size are read.

    What cannot be read is no copy.
    """
    by_size: dict[int, list[Path]] = {}
    for path in paths:
        with suppress(OSError, ValueError):  # a name may hold what no name can
            by_size.setdefault(os.stat(path).st_size, []).append(path)
    firsts: dict[str, Path] = {}
    found: dict[Path, Path] = {}
    for path in (each for alike in by_size.values() if len(alike) > 1 for each in alike):
        with suppress(OSError):
            first = firsts.setdefault(file_sha256(path), path)
            if first != path:
                found[path] = first
    return found


@contextmanager
def replacing(target: Path, unfinished: Path | None = None) -> Iterator[Path]:
    """Lend a path to write to; the file there takes the place of ``target`` once it is whole.

    A killed process leaves no broken ``target``, only its own unfinished file; two processes at
    once do not write to one file.

    The folder of ``target`` has to exist. ``unfinished`` is the path to lend, on the same file
    system; default: one beside ``target`` that no other process takes.
    """
    unfinished = unfinished or target.with_name(f'{target.name}.{os.getpid()}.part')
    try:
        yield unfinished
        os.replace(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_durably(target: Path, data: bytes, unfinished: Path | None = None) -> None:
    """Write a file that is the old one or the new one, even after a loss of power.

    ``unfinished`` is as of :func:`replacing`.

    Raises:
        OSError: It cannot be written, for instance because the disk is full; the old one stays,
            and what was written of the new one is removed.
    """
    with replacing(target, unfinished) as path, path.open('wb') as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    # Its name lies in the folder. Some file systems do not sync folders: they have done all
    # that they can by now.
    with suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def unfinished_files(folder: Path) -> dict[Path, int]:
    """What :func:`replacing` left where a process was killed, and the number of that process."""
    return {
        path: int(match[1])
        for path in sorted(folder.glob('*.part'))
        if (match := re.search(r'\.(\d+)\.part$', path.name))
    }


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file that a process appends to, with their ends; none if there is no file.

    A last line without an end is left out: it was torn when its process was killed.
    """
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith(b'\n')]
