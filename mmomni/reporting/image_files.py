"""Which files are to be predicted, and what their outputs are called."""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path, PurePath
from typing import NamedTuple

from mmomni.apis.inputs import Opened, Source, opened_up
from mmomni.apis.pictures import Picture
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
    """An image to predict: a file, or one of the pictures in it.

    Attributes:
        path: Absolute; links among its folders are resolved, so that it is one path for one file.
        relative: Below its input folder, as found: nothing to build an output path from.
        picture: Which one of several in the file; ``None``: the only one.
    """

    path: Path
    relative: PurePath
    picture: Picture | None = None

    @property
    def key(self) -> Path:
        """Unlike that of any other image: the path, with the picture below it as if in a folder."""
        return key_of(self.path, self.picture_name)

    @property
    def source(self) -> Source:
        """What the inferencer reads."""
        return Source(shown_name(str(self.path), self.picture_name), self.path, self.picture)

    @property
    def picture_name(self) -> str | None:
        """``'page 2'``; ``None``: it is the whole file."""
        return None if self.picture is None else self.picture.name


def key_of(path: Path | str, picture: str | None) -> Path:
    """See :attr:`ImageFile.key`."""
    return Path(path) if picture is None else Path(path, picture)


def shown_name(file: str, picture: str | None) -> str:
    """``'scan.tif (page 2)'``."""
    return file if picture is None else f'{file} ({picture})'


class Survey(NamedTuple):
    """All that the inputs of a run hold, each file once.

    Attributes:
        files: To predict. Folders that cannot be entered are among them: there is no result. Of a
            file of several pictures, each is one.
        others: The kinds of the files that are no images, by path.
        repeated: How many files were given more than once.
    """

    files: list[ImageFile]
    others: dict[Path, str]
    repeated: int = 0


def survey_inputs(inputs: Sequence[str], out: Path) -> Survey:
    """The files of some files, folders (with all below), globs and lists (see ``opened_up``).

    What lies in the results folder ``out`` is no input, but is counted.

    Raises:
        ValueError: There is no image; or none of the inputs exists; or some cannot be opened up,
            which names all that are wrong.
    """
    found: dict[Path, ImageFile] = {}
    others: dict[Path, str] = {}
    paths: set[Path] = set()
    repeated: set[Path] = set()
    inside = os.path.realpath(out)
    for opened in _all_opened(inputs):
        new = set()
        for source in opened.sources:
            path = Path(str(source.content))
            real = real_path(path)
            if _is_inside(real, inside):
                others[real] = OWN_RESULTS
            elif real in paths:
                repeated.add(real)
            else:
                file = ImageFile(real, path.relative_to(opened.root), source.picture)
                found.setdefault(file.key, file)
                new.add(real)
        paths |= new
        for path, kind in opened.others.items():
            real = real_path(path)
            others[real] = OWN_RESULTS if _is_inside(real, inside) else kind
    files = list(found.values())
    _check_any(files, inputs, out)
    # A file that one input names is examined, whatever another input takes it for.
    others = {path: kind for path, kind in others.items() if path not in paths}
    return Survey(files, others, len(repeated))


def _all_opened(inputs: Sequence[str]) -> list[Opened]:
    found: list[Opened] = []
    wrong: list[str] = []
    is_refused = False
    for item in inputs:
        try:
            opened = list(opened_up(item))
        except ValueError as error:
            wrong.append(str(error))
            is_refused = True
            continue
        found += opened
        paths = [source.content for each in opened for source in each.sources]
        if paths == [Path(item)] and not os.path.exists(item):  # alone, it ends no run
            wrong.append(missing_text(Path(item)))
    if is_refused:
        raise ValueError('\n  '.join(wrong))
    return found


def _check_any(files: Sequence[ImageFile], inputs: Sequence[str], out: Path) -> None:
    if not files:
        raise ValueError(
            f'expected images in {", ".join(inputs)}, found none (files in the results folder '
            f'{out} do not count); check the paths'
        )
    if not any(os.path.exists(file.path) for file in files):
        raise ValueError('\n  '.join(missing_text(file.path) for file in files))


def real_path(path: Path) -> Path:
    """One path for one file; a link to a file is a file of its own."""
    return Path(os.path.realpath(path.parent), path.name)


def _is_inside(path: Path, folder: str) -> bool:
    return os.path.commonpath([folder, os.path.realpath(path)]) == folder


# ---- names ----------------------------------------------------------------------------------


def assign_names(files: Iterable[ImageFile], taken: Mapping[Path, str]) -> dict[Path, str]:
    """A name for the outputs of each file: a relative path without suffix, unlike any other.

    It is the file's own path below its input folder; where that is taken (``x.jpg`` beside
    ``x.png``, or ``x.jpg`` of two folders), with the suffix or with a digest of the path behind it.
    Names differ in more than case and fit any file system, whatever the file is called. The first
    file to ask for a name gets it; one that has a name among those ``taken``, by key, keeps it.
    A picture of several has its own behind that of its file: ``scan_page-2``.

    Returns:
        Names by the key of the file: its path, if it is the only picture there.
    """
    names: dict[Path, str] = {}
    used = {_folded(name) for name in taken.values()}
    for file in files:
        free = (name for name in _candidates(file) if _folded(name) not in used)
        names[file.key] = taken.get(file.key) or next(free)
        used.add(_folded(names[file.key]))
    return names


def _candidates(file: ImageFile) -> Iterator[str]:
    *folders, last = file.relative.parts
    folder = [_safe_folder(part) for part in folders]
    stem, suffix = PurePath(last).stem, PurePath(last).suffix[1:]
    picture = (file.picture_name or '').replace(', ', '_').replace(' ', '-')
    behind = f'_{picture}' if picture else ''
    for name in (stem, f'{stem}_{suffix}', f'{stem}_{_digest(str(file.path))}'):
        path = '/'.join([*folder, _safe(name, behind)])
        yield path if len(path.encode()) <= LONGEST_NAME else _digest(path, 32)
    yield _digest(str(file.key), 32)


def _safe(part: str, behind: str = '') -> str:
    """One part of a path, printable, with nothing that leads out of its folder.

    What stands ``behind`` is kept where the rest is cut.
    """
    kept = ''.join(c if c.isprintable() and c not in RESERVED else '_' for c in part)
    kept = kept.strip('. ') or '_'
    if kept.partition('.')[0].rstrip(' ').upper() in DEVICES:
        kept = f'_{kept}'
    if len(kept.encode()) <= LONGEST_PART:
        return kept + behind
    cut = kept.encode()[: LONGEST_PART - 10].decode(errors='ignore')
    return f'{cut}_{_digest(part)}{behind}'


def _safe_folder(part: str) -> str:
    """No folder is called like an output file."""
    safe = _safe(part)
    return f'{safe}_' if safe.lower().endswith(OUTPUT_SUFFIXES) else safe


def _digest(text: str, length: int = 8) -> str:
    return sha256(os.fsencode(text)).hexdigest()[:length]


def _folded(name: str) -> str:
    return unicodedata.normalize('NFC', name).casefold()
