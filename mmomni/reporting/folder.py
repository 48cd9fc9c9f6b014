"""A folder of predictions that an interrupted run leaves whole and the next one goes on with.

The files of an image are written one by one under a name of no meaning and then renamed; its line
in ``predictions.jsonl`` comes last. So what has a line is whole, whenever the process was killed.
"""

import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mmomni.utils.files import file_sha256, replacing

from .account import Account
from .image_files import ImageFile, key_of
from .json_lines import json_line, read_lines
from .outputs import fault_of
from .predictions import FORMATS, Predictions, files_of, place_of
from .record import RECORD_KEYS, file_state
from .settings import SETTINGS, locked, refuse_other_settings, settings_before, settings_text
from .verdict import ImageThreshold

__all__ = ['FORMATS', 'UNFINISHED', 'PredictionFolder']

PREDICTIONS, FAILURES = 'predictions.jsonl', 'failures.jsonl'
ACCOUNT = 'account.json'
UNFINISHED = '.unfinished'


class PredictionFolder(Predictions):
    """Results of one checkpoint with one set of options.

    Holds ``settings.json``, ``predictions.jsonl`` (a line for each image), ``failures.jsonl`` (a
    line for each bad file), ``account.json`` (what became of the files of the last run), the
    pictures and maps in folders by kind, and what ``report.html`` shows in ``report_files``.

    Args:
        root: A new or empty folder, or one of an earlier run with the same settings.
        settings: As the other arguments: see :class:`~mmomni.reporting.predictions.Predictions`.
        formats: Likewise.
        image_threshold: Likewise.
        views: Likewise.

    Attributes:
        records: The lines of ``predictions.jsonl``, by the key of the image.
        failures: The lines of ``failures.jsonl`` of this run and earlier ones, likewise.
        spoilt: Of images that were asked for and are in a line, what is wrong with their outputs.
        changed: Paths of files that were asked for and have other bytes than those in a line.

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
        views: Collection[str] = (),
    ) -> None:
        super().__init__(settings, formats, image_threshold, views)
        self.root = Path(os.path.realpath(root))
        self.spoilt: dict[str, str] = {}
        self.changed: list[str] = []
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock = locked(self.root)
        try:
            self._check_settings()
            lines = read_lines(self.root / PREDICTIONS, RECORD_KEYS)
            self.records = {_key(line): line for line in lines}
            self._by_path = {line['path']: line for line in lines}
            for record in lines:
                self._check_files(record)
            lines = read_lines(self.root / FAILURES, dict(path=str, reason=str))
            self.failures = {_key(line): line for line in lines}
            self._clear_unfinished()
            (self.root / UNFINISHED).mkdir()
            self._write(SETTINGS, settings_text(self.settings).encode())
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
        for file in files_of(record):
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
        before = settings_before(self.root)
        before.setdefault('precision', 'fp32')  # earlier versions knew no other
        before.setdefault('views', [])  # nor these
        refuse_other_settings(self.root, before, self.settings)

    # ---- what is there ----------------------------------------------------------------------

    def is_done(self, image: ImageFile) -> bool:
        """Whether the image was predicted, and neither it nor its outputs have changed since.

        Outputs that are gone or not whole are noted in ``spoilt``, files in ``changed``.
        """
        path, record = image.path, self.records.get(str(image.key))
        earlier = record or self._by_path.get(str(path))  # with other pictures than now
        if earlier is None:
            return False
        try:
            is_same = _is_same(path, earlier)
        except OSError:
            return False
        if not is_same and str(path) not in self.changed:
            self.changed.append(str(path))
        if record is None:
            return False
        if fault := fault_of(self.root, record):
            self.spoilt[str(image.key)] = fault
        return is_same and not fault

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
        self.kept = [key for key, line in self.records.items() if line['path'] not in paths]
        (self.root / ACCOUNT).unlink(missing_ok=True)  # of an earlier run
        self._write(PREDICTIONS, ''.join(map(json_line, self.records.values())).encode())
        self._write(FAILURES, ''.join(map(json_line, self.failures.values())).encode())
        for record in removed:
            for file in files_of(record):
                (self.root / file).unlink(missing_ok=True)

    # ---- what is new ------------------------------------------------------------------------

    def _keep(self, file: ImageFile, record: dict[str, Any]) -> None:
        self._append(PREDICTIONS, record)
        super()._keep(file, record)

    def add_failure(self, image: ImageFile, reason: str) -> None:
        """Note an image that could not be predicted; the next run tries it again."""
        line = dict(path=str(image.path), image=str(image.relative), reason=reason)
        if image.picture is not None:
            line.update(place_of(image))
        self._append(FAILURES, line)
        self.failures[str(image.key)] = line

    def write_account(self, account: Account) -> None:
        """Note what became of every file of this run."""
        self.account = account
        self._write(ACCOUNT, f'{json.dumps(account.numbers(), indent=2)}\n'.encode())

    def read(self, file: str) -> bytes | None:
        path = self.root / file
        return path.read_bytes() if path.is_file() else None

    def size(self, file: str) -> int | None:
        path = self.root / file
        return path.stat().st_size if path.is_file() else None

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


def _is_same(path: Path, record: Mapping[str, Any]) -> bool:
    """Whether a file has the bytes of its record; one that was copied or touched has.

    Raises:
        OSError: It is gone, or no file.
    """
    state = file_state(path)
    if state == (record['size_bytes'], record['mtime_ns']):
        return True
    return state.size_bytes == record['size_bytes'] and file_sha256(path) == record['sha256']


def _key(line: Mapping[str, Any]) -> str:
    return str(key_of(line['path'], line.get('picture')))
