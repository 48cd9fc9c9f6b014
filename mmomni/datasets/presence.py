"""Which files of a long list exist, without asking for each: that takes minutes on network storage.

A folder is listed once, and one answer of a file server brings hundreds of its names.
"""

import os
import os.path as osp
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

MOST_ASKED_FOR = 100
"""So many names of one folder are asked for one by one, as the folder may hold millions."""
FIRST_LOOK = 32


def is_first_process() -> bool:
    """Whether this is rank 0, or the only process."""
    if 'torch' not in sys.modules:  # `check-data` does without, and has no others
        return True
    from mmengine.dist import is_main_process

    return is_main_process()


def any_exists(files: Sequence[str]) -> bool:
    """Whether some of a few files, evenly spaced over the list, exist; ``True`` without any."""
    step = max(1, -(-len(files) // FIRST_LOOK))
    return not files or any(map(osp.isfile, files[::step]))


def absent_files(files: Iterable[str]) -> set[str]:
    """Those that ``os.path.isfile`` says are none."""
    by_folder: dict[str, set[str]] = defaultdict(set)
    for file in files:
        name = osp.basename(file)
        by_folder[file[: len(file) - len(name)]].add(name)
    return {
        folder + name for folder, names in by_folder.items() for name in _absent(folder, names)
    }


def _absent(folder: str, names: Collection[str]) -> set[str]:
    """Names that are of no file of a folder.

    Those that are not in its listing are asked for: the file system may not tell cases or forms of
    Unicode apart, and a folder may be entered that cannot be listed.
    """
    unsettled = set(names)
    if len(unsettled) > MOST_ASKED_FOR:
        try:
            unsettled -= _listed(folder, names)
        except (FileNotFoundError, NotADirectoryError):
            return unsettled
        except (OSError, ValueError):  # not allowed, or no name of a folder
            pass
    return {name for name in unsettled if not osp.isfile(folder + name)}


def _listed(folder: str, names: Collection[str]) -> set[str]:
    """Names that a folder lists as files; links are followed."""
    found = set()
    with os.scandir(folder or '.') as entries:
        for entry in entries:
            with suppress(OSError):  # of a link that leads to itself
                if entry.name in names and entry.is_file():
                    found.add(entry.name)
    return found
