"""The folder of an archive: its plan, its shards and what became of every file."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmomni.reporting.image_files import ImageFile
from mmomni.reporting.json_lines import json_line
from mmomni.reporting.settings import (
    SETTINGS,
    locked,
    refuse_other_settings,
    settings_before,
    settings_text,
)
from mmomni.utils.files import replacing, write_durably

from .account import ArchiveAccount
from .extra import imported
from .shards import FAILED, Count, Shard, as_text

PLAN, ACCOUNT, FAILURES = 'plan.parquet', 'account.json', 'failures.jsonl'
LISTED = b'mmomni.repeated'
Lists = Callable[[], tuple[list[ImageFile], int]]


class Archive:
    """Results of one model with one choice of options of the files that some lists name.

    Args:
        root: A new or empty folder, or that of an earlier run with the same settings.
        settings: All that results depend on; values that JSON can hold.
        lists: Lists the files, see :func:`~mmomni.reporting.archives.listed_files`; called for a
            new archive alone: going on does not depend on what has become of the files.
        shard_size: Files of a shard, among the settings.

    Attributes:
        files: How many files there are, each once.
        done: What the shards that are done hold, by their numbers.

    Raises:
        FileExistsError: The folder holds something else.
        ValueError: It holds results of other settings; or lists name no file.
        OSError: Another process is writing to it.
    """

    def __init__(
        self, root: Path, settings: Mapping[str, Any], lists: Lists, shard_size: int
    ) -> None:
        self.root = Path(os.path.realpath(root))
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock = locked(self.root)
        try:
            settings = dict(settings, shard_size=shard_size)
            self._check(settings)
            self._begin(settings, lists, shard_size)
            metadata = imported('pyarrow.parquet').read_metadata(self.root / PLAN)
            self.files = metadata.num_rows
            self._shards = metadata.num_row_groups
            self._repeated = int(metadata.metadata[LISTED])
            (self.root / ACCOUNT).unlink(missing_ok=True)  # of an earlier run
            for torn in (*self.root.glob('*.part'), *self.root.glob('*/*.part')):
                torn.unlink()
            counts = {n: Shard(self.root, n).counted() for n in range(self._shards)}
            self.done: dict[int, Count] = {n: c for n, c in counts.items() if c is not None}
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> 'Archive':
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def _check(self, settings: Mapping[str, Any]) -> None:
        if (self.root / SETTINGS).is_file():
            refuse_other_settings(self.root, settings_before(self.root), settings)
        elif any(self.root.iterdir()):
            raise FileExistsError(
                f'expected a new folder at {self.root}, or one of an earlier run, got one that '
                'holds other files; choose another with --out'
            )

    def _begin(self, settings: Mapping[str, Any], lists: Lists, shard_size: int) -> None:
        """Settings first, which tell whose folder this is if listing the files is killed."""
        write_durably(self.root / SETTINGS, settings_text(settings).encode())
        plan = self.root / PLAN
        if not plan.exists():
            try:
                _write_plan(plan, *lists(), shard_size)
            except BaseException:
                (self.root / SETTINGS).unlink()
                raise

    def pending(self) -> list[int]:
        """The numbers of shards that are not done."""
        return [number for number in range(self._shards) if number not in self.done]

    def account(self) -> ArchiveAccount:
        """What has become of every file by now."""
        return ArchiveAccount.of(self.files, self._repeated, self._shards, self.done.values())

    def write_account(self) -> ArchiveAccount:
        """Write ``account.json``, and ``failures.jsonl`` with a line for each failure."""
        account = self.account()
        text = json.dumps(account._asdict(), indent=2)
        write_durably(self.root / ACCOUNT, f'{text}\n'.encode())
        with replacing(self.root / FAILURES) as unfinished, open(unfinished, 'wb') as lines:
            for number in sorted(number for number, count in self.done.items() if count.failed):
                failures = _failures(Shard(self.root, number))
                lines.writelines(json_line(line).encode() for line in failures)
        return account


def _failures(shard: Shard) -> list[dict[str, Any]]:
    """Its failed rows; paths are those of the plan, for records hold text and not all are text."""
    keys = ['path', 'picture', 'page', 'reason']
    table = imported('pyarrow.parquet').read_table(
        shard.records, columns=keys, filters=[('status', '=', FAILED)]
    )
    names = {as_text(str(f.path)): str(f.path) for f in planned_files(shard.root, shard.number)}
    return [dict(row, path=names[row['path']]) for row in table.to_pylist()]


def _write_plan(
    path: Path, files: Sequence[ImageFile], repeated: int, shard_size: int
) -> None:
    """Row group *n* is shard *n*. Names are bytes: not all are text."""
    if not files:
        raise ValueError('expected lists of images, got none that names a file')
    arrow, parquet = imported('pyarrow'), imported('pyarrow.parquet')
    columns = dict(
        path=[os.fsencode(file.path) for file in files],
        relative=[os.fsencode(file.relative) for file in files],
    )
    schema = arrow.schema(
        [(name, arrow.binary()) for name in columns], metadata={LISTED: str(repeated)}
    )
    with replacing(path) as unfinished:
        table = arrow.Table.from_pydict(columns, schema)
        parquet.write_table(table, unfinished, row_group_size=shard_size)


def planned_files(root: Path, number: int) -> list[ImageFile]:
    """The files of a shard, of which nothing but their names is known yet."""
    parquet = imported('pyarrow.parquet')
    with parquet.ParquetFile(root / PLAN) as plan:
        rows = plan.read_row_group(number).to_pylist()
    return [
        ImageFile(Path(os.fsdecode(row['path'])), Path(os.fsdecode(row['relative'])))
        for row in rows
    ]
