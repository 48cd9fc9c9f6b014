"""A folder of predictions that an interrupted run leaves whole and the next one goes on with.

The files of an image are written one by one under a name of no meaning and then renamed; its line
in ``predictions.jsonl`` comes last. So what has a line is whole, whenever the process was killed.
"""

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmomni.apis.results import Prediction
from mmomni.utils.files import file_sha256, replacing
from mmomni.version import __version__

from . import pictures
from .account import Account
from .image_files import ImageFile, key_of, shown_name
from .json_lines import json_line, read_lines
from .record import RECORD_KEYS, FileState, file_state, make_record
from .verdict import ImageThreshold

SETTINGS, PREDICTIONS, FAILURES = 'settings.json', 'predictions.jsonl', 'failures.jsonl'
ACCOUNT = 'account.json'
REPORT_FILES = 'report_files'
UNFINISHED = '.unfinished'
NOT_COMPARED = ('checkpoint',)  # its path; its SHA-256 is
FORMATS = ('png', 'npz', 'json')

logger = logging.getLogger(__name__)


class PredictionFolder:
    """Results of one checkpoint with one set of options.

    Holds ``settings.json``, ``predictions.jsonl`` (a line for each image), ``failures.jsonl`` (a
    line for each bad file), ``account.json`` (what became of the files of the last run), the
    pictures and maps in folders by kind, and what ``report.html`` shows in ``report_files``.

    Args:
        root: A new or empty folder, or one of an earlier run with the same settings.
        settings: All that results depend on, besides the files; values that JSON can hold.
            ``checkpoint``, ``checkpoint_sha256`` and ``threshold`` are among them.
        formats: ``'png'``: mask, heat map and overlay; ``'npz'``: the probability; ``'json'``: no
            file more than there is anyway.
        image_threshold: For the verdict; ``None``: there is none.

    Attributes:
        records: The lines of ``predictions.jsonl``, by the key of the image, which is its path
            where it is the only one of its file.
        failures: The lines of ``failures.jsonl`` of this run and earlier ones, likewise.
        account: What became of every file of this run, once that is known.

    Raises:
        FileExistsError: The folder holds something else.
        ValueError: It holds results of other settings, or lines that no run has written.
        OSError: Another process is writing to it, or a link inside leads out of it.
    """

    def __init__(
        self,
        root: Path,
        settings: Mapping[str, Any],
        formats: Collection[str],
        image_threshold: ImageThreshold | None = None,
    ) -> None:
        self.root = Path(os.path.realpath(root))
        self.formats = formats
        self.image_threshold = image_threshold
        limit = None if image_threshold is None else image_threshold._asdict()
        if limit is not None:
            del limit['precision']  # that of the settings
        self.settings = dict(settings, formats=sorted(formats), image_threshold=limit)
        self.account: Account | None = None
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.root)
        try:
            self._check_settings()
            lines = read_lines(self.root / PREDICTIONS, RECORD_KEYS)
            self.records = {_key(line): line for line in lines}
            for record in lines:
                self._check_files(record)
            lines = read_lines(self.root / FAILURES, dict(path=str, reason=str))
            self.failures = {_key(line): line for line in lines}
            self._clear_unfinished()
            (self.root / UNFINISHED).mkdir()
            text = json.dumps(dict(self.settings, mmomni=__version__), indent=2, allow_nan=False)
            self._write(SETTINGS, f'{text}\n'.encode())
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> 'PredictionFolder':
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing unfinished, and let others write."""
        try:
            self._clear_unfinished()
        finally:
            os.close(self._lock)

    def _clear_unfinished(self) -> None:
        unfinished = self.root / UNFINISHED
        if unfinished.is_symlink():
            raise OSError(f'expected a folder at {unfinished}, got a link; remove it')
        if unfinished.exists():
            shutil.rmtree(unfinished)

    def _is_inside(self, file: str) -> bool:
        """Whether a path below the folder stays there, with all links followed."""
        real = Path(os.path.realpath(self.root / file))
        return real != self.root and real.is_relative_to(self.root)

    def _check_files(self, record: Mapping[str, Any]) -> None:
        """What a line names is removed and shown later: it must not be a file of somebody else."""
        for file in _files_of(record):
            if not (isinstance(file, str) and '\0' not in file and self._is_inside(file)):
                raise ValueError(
                    f'{self.root / PREDICTIONS}: expected outputs inside of the folder, got '
                    f'{file!r}; remove that line or link, or choose another folder with --out'
                )

    def _check_settings(self) -> None:
        if all(entry.name == UNFINISHED for entry in self.root.iterdir()):
            return
        if not (self.root / SETTINGS).is_file():
            raise FileExistsError(
                f'expected a new folder at {self.root}, or one of an earlier run, got one that '
                'holds other files; choose another with --out'
            )
        before = json.loads((self.root / SETTINGS).read_text(encoding='utf-8'))
        before.setdefault('precision', 'fp32')  # earlier versions knew no other
        if (version := before.pop('mmomni', None)) != __version__:
            logger.warning('going on with %s with a run of %s', __version__, version)
        for name, value in json.loads(json.dumps(self.settings)).items():
            if name not in NOT_COMPARED and before.get(name) != value:
                raise ValueError(
                    f'{self.root} holds results with {name} {before.get(name)!r}, got {value!r}; '
                    'give the same options, or choose another folder with --out'
                )

    # ---- what is there ----------------------------------------------------------------------

    def is_done(self, image: ImageFile) -> bool:
        """Whether the image was predicted, has not changed since, and its outputs are there."""
        path, record = image.path, self.records.get(str(image.key))
        if record is None or not all((self.root / file).is_file() for file in _files_of(record)):
            return False
        try:
            state = file_state(path)
        except OSError:
            return False
        if state == (record['size_bytes'], record['mtime_ns']):
            return True
        # A copied or touched file is still the same.
        return state.size_bytes == record['size_bytes'] and file_sha256(path) == record['sha256']

    def begin(self, pending: Collection[ImageFile], files: Collection[ImageFile]) -> None:
        """Remove what an earlier run says about images that are now to be predicted (again).

        And about pictures of these ``files`` that are in them no more.
        """
        again = {str(file.key) for file in pending}
        known = {str(file.key) for file in files}
        paths = {str(file.path) for file in files}

        def is_outdated(key: str, line: Mapping[str, Any]) -> bool:
            return key in again or (line['path'] in paths and key not in known)

        outdated = [key for key, line in self.records.items() if is_outdated(key, line)]
        removed = [self.records.pop(key) for key in outdated]
        self.failures = {
            key: line
            for key, line in self.failures.items()
            if not is_outdated(key, line) and os.path.lexists(line['path'])
        }
        (self.root / ACCOUNT).unlink(missing_ok=True)  # of an earlier run
        self._write(PREDICTIONS, ''.join(map(json_line, self.records.values())).encode())
        self._write(FAILURES, ''.join(map(json_line, self.failures.values())).encode())
        for record in removed:
            for file in _files_of(record):
                (self.root / file).unlink(missing_ok=True)

    # ---- what is new ------------------------------------------------------------------------

    def add(
        self, file: ImageFile, name: str, state: FileState, sha256: str, prediction: Prediction
    ) -> None:
        """Write the outputs of an image under a name of :func:`assign_names`, its line last.

        The state is that before the file was read: if it changes meanwhile, the next run sees that.
        """
        files = {}
        for kind, output, content in self._outputs(name, prediction):
            self._write(output, content)
            files[kind] = output
        for folder, content in pictures.report_pictures(prediction):
            self._write(report_file(folder, name), content)
        record = dict(
            make_record(prediction, name, self.image_threshold),
            image=shown_name(str(file.relative), file.picture_name),
            path=str(file.path),
            **_place(file),
            **state._asdict(),
            sha256=sha256,
            files=files,
        )
        self._append(PREDICTIONS, record)
        self.records[str(file.key)] = record

    def add_failure(self, image: ImageFile, reason: str) -> None:
        """Note an image that could not be predicted; the next run tries it again."""
        line = dict(path=str(image.path), reason=reason)
        if image.picture is not None:
            line.update(_place(image))
        self._append(FAILURES, line)
        self.failures[str(image.key)] = line

    def write_account(self, account: Account) -> None:
        """Note what became of every file of this run."""
        self.account = account
        self._write(ACCOUNT, f'{json.dumps(account.numbers(), indent=2)}\n'.encode())

    def _outputs(self, name: str, prediction: Prediction) -> Iterator[tuple[str, str, bytes]]:
        """Kind, relative path and content of each file."""
        if 'png' in self.formats:
            yield 'mask', f'masks/{name}.png', pictures.mask_png(prediction)
            yield 'heat_map', f'heat_maps/{name}.png', pictures.heat_map_png(prediction)
            yield 'overlay', f'overlays/{name}.jpg', pictures.overlay_jpeg(prediction)
        if 'npz' in self.formats:
            yield 'probability', f'probabilities/{name}.npz', pictures.probability_npz(prediction)

    def _write(self, file: str, content: bytes) -> None:
        target = self.root / file
        # The folder, not the file: a link in place of the file is replaced, not followed.
        if target.parent != self.root and not self._is_inside(str(target.parent)):
            raise OSError(
                f'{target.parent} leads out of {self.root}; remove that link, or choose another '
                'folder with --out'
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target, self.root / UNFINISHED / 'file') as unfinished:
            unfinished.write_bytes(content)

    def _append(self, file: str, line: Mapping[str, Any]) -> None:
        with open(self.root / file, 'ab') as lines:
            lines.write(json_line(line).encode())


def report_file(folder: str, name: str) -> str:
    """A picture of ``report.html``, relative to the results folder."""
    return f'{REPORT_FILES}/{folder}/{name}.jpg'


def _place(image: ImageFile) -> dict[str, Any]:
    page = None if image.picture is None else image.picture.page
    return dict(picture=image.picture_name, page=page)


def _key(line: Mapping[str, Any]) -> str:
    return str(key_of(line['path'], line.get('picture')))


def _files_of(record: Mapping[str, Any]) -> Iterator[str]:
    yield from record['files'].values()
    for folder in ('images', 'heat_maps', 'thumbnails'):
        yield report_file(folder, record['name'])


def _locked(root: Path) -> int:
    """A lock that ends with the process, however it ends."""
    lock = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise OSError(
            f'another process is writing to {root}; wait for it, or choose another folder with '
            '--out'
        ) from error
    return lock
