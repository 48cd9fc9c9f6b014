"""Files: which of them are images, what they hold, and how one is written whole or not at all."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMAGE_SUFFIXES = frozenset((
    '.jpg', '.jpeg', '.jpe', '.jfif', '.mpo',
    '.png', '.tif', '.tiff', '.webp', '.bmp', '.ppm', '.gif',
))  # fmt: skip


def is_image(path: Path) -> bool:
    """Whether a file is an image, by its name."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def find_images(folder: Path) -> list[Path]:
    """All image files below a folder, linked subfolders included, sorted."""
    found: list[Path] = []
    entered: set[str] = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        entered.add(os.path.realpath(root))
        # A link back to a folder above would never end.
        folders[:] = [f for f in folders if os.path.realpath(os.path.join(root, f)) not in entered]
        found += filter(is_image, (Path(root, name) for name in files))
    return sorted(found)


def find_by_stem(folder: Path) -> dict[str, list[str]]:
    """Image files below a folder by their path in it without the suffix, as masks are paired."""
    found: dict[str, list[str]] = {}
    for path in find_images(folder):
        stem = path.relative_to(folder).with_suffix('').as_posix()
        found.setdefault(stem, []).append(str(path))
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


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


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file that a process appends to, with their ends; none if there is no file.

    A last line without an end is left out: it was torn when its process was killed.
    """
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith(b'\n')]
