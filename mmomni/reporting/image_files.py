"""Which files are to be predicted, and what their outputs are called."""

import glob
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path, PurePath
from typing import NamedTuple

from mmomni.apis.inputs import opened_up
from mmomni.utils.files import missing_text

OUTPUT_SUFFIXES = ('.png', '.npz', '.jpg')
RESERVED = frozenset('<>:"/\\|?*')
"""Not allowed in the file names of some system that a results folder may be copied to."""
DEVICES = frozenset(
    ['CON', 'PRN', 'AUX', 'NUL']
    + [f'{port}{number}' for port in ('COM', 'LPT') for number in '0123456789¹²³']
)
"""No file of Windows can be called so, whatever its suffix."""
OWN_RESULTS = 'own results'
LONGEST_PART = 120
LONGEST_NAME = 800


class ImageFile(NamedTuple):
    """A file to predict.

    Attributes:
        path: Absolute; links among its folders are resolved, so that it is one path for one file.
        relative: Below its input folder, as found: nothing to build an output path from.
    """

    path: Path
    relative: PurePath


class Survey(NamedTuple):
    """All that the inputs of a run hold, each file once.

    Attributes:
        files: To predict. Folders that cannot be entered are among them: there is no result.
        others: The kinds of the files that are no images, by path.
    """

    files: list[ImageFile]
    others: dict[Path, str]


def survey_inputs(inputs: Sequence[str], out: Path) -> Survey:
    """The files of some files, folders (with all below) and globs.

    What lies in the results folder ``out`` is no input, but is counted.

    Raises:
        ValueError: There is no image; or none of the inputs exists.
    """
    found: dict[Path, ImageFile] = {}
    others: dict[Path, str] = {}
    inside = os.path.realpath(out)
    for item in inputs:
        root, contents = _root(item), opened_up(item)
        for path in (*contents.images, *contents.closed):
            real = _real(path)
            if _is_inside(real, inside):
                others[real] = OWN_RESULTS
            else:
                found.setdefault(real, ImageFile(real, path.relative_to(root)))
        for path, kind in contents.others.items():
            real = _real(path)
            others[real] = OWN_RESULTS if _is_inside(real, inside) else kind
    if not found:
        raise ValueError(
            f'expected images in {", ".join(inputs)}, found none (files in the results folder '
            f'{out} do not count); check the paths'
        )
    if not any(os.path.exists(path) for path in found):
        raise ValueError('\n  '.join(missing_text(file.path) for file in found.values()))
    # A file that one input names is examined, whatever another input takes it for.
    return Survey(
        list(found.values()), {path: kind for path, kind in others.items() if path not in found}
    )


def _real(path: Path) -> Path:
    """One path for one file; a link to a file is a file of its own."""
    return Path(os.path.realpath(path.parent), path.name)


def _is_inside(path: Path, folder: str) -> bool:
    return os.path.commonpath([folder, os.path.realpath(path)]) == folder


def _root(item: str) -> Path:
    """The folder that names are relative to: of a glob, the part before its first magic."""
    path = Path(item)
    if path.is_dir():
        return path
    root = path.parent
    while not path.exists() and glob.has_magic(str(root)):
        root = root.parent
    return root


# ---- names ----------------------------------------------------------------------------------


def assign_names(files: Iterable[ImageFile], taken: Mapping[Path, str]) -> dict[Path, str]:
    """A name for the outputs of each file: a relative path without suffix, unlike any other.

    It is the file's own path below its input folder; where that is taken (``x.jpg`` beside
    ``x.png``, or ``x.jpg`` of two folders), with the suffix or with a digest of the path behind it.
    Names differ in more than case and fit any file system, whatever the file is called. The first
    file to ask for a name gets it; one that has a name among those ``taken``, by path, keeps it.
    """
    names: dict[Path, str] = {}
    used = {_folded(name) for name in taken.values()}
    for file in files:
        free = (name for name in _candidates(file) if _folded(name) not in used)
        names[file.path] = taken.get(file.path) or next(free)
        used.add(_folded(names[file.path]))
    return names


def _candidates(file: ImageFile) -> Iterator[str]:
    *folders, last = file.relative.parts
    folder = [_safe_folder(part) for part in folders]
    stem, suffix = PurePath(last).stem, PurePath(last).suffix[1:]
    for name in (stem, f'{stem}_{suffix}', f'{stem}_{_digest(str(file.path))}'):
        path = '/'.join([*folder, _safe(name)])
        yield path if len(path.encode()) <= LONGEST_NAME else _digest(path, 32)
    yield _digest(str(file.path), 32)


def _safe(part: str) -> str:
    """One part of a path, printable, with nothing that leads out of its folder."""
    kept = ''.join(c if c.isprintable() and c not in RESERVED else '_' for c in part)
    kept = kept.strip('. ') or '_'
    if kept.partition('.')[0].rstrip(' ').upper() in DEVICES:
        kept = f'_{kept}'
    if len(kept.encode()) <= LONGEST_PART:
        return kept
    cut = kept.encode()[: LONGEST_PART - 10].decode(errors='ignore')
    return f'{cut}_{_digest(part)}'


def _safe_folder(part: str) -> str:
    """No folder is called like an output file."""
    safe = _safe(part)
    return f'{safe}_' if safe.lower().endswith(OUTPUT_SUFFIXES) else safe


def _digest(text: str, length: int = 8) -> str:
    return sha256(os.fsencode(text)).hexdigest()[:length]


def _folded(name: str) -> str:
    return unicodedata.normalize('NFC', name).casefold()
