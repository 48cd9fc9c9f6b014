"""Which files of a folder are images."""

import os
from pathlib import Path

IMAGE_SUFFIXES = frozenset((
    '.jpg', '.jpeg', '.jpe', '.jfif', '.mpo',
    '.png', '.tif', '.tiff', '.webp', '.bmp', '.ppm', '.gif',
))  # fmt: skip


def find_images(folder: Path) -> list[Path]:
    """All image files below a folder, linked subfolders included, sorted."""
    found: list[Path] = []
    entered: set[str] = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        entered.add(os.path.realpath(root))
        # A link back to a folder above would never end.
        folders[:] = [f for f in folders if os.path.realpath(os.path.join(root, f)) not in entered]
        found += [Path(root, name) for name in files if Path(name).suffix.lower() in IMAGE_SUFFIXES]
    return sorted(found)
