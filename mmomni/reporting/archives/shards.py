"""A shard of an archive: its records and its pictures, two files of Parquet."""

import json
import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from mmomni.reporting.image_files import ImageFile
from mmomni.reporting.json_lines import json_line
from mmomni.reporting.predictions import place_of
from mmomni.utils.files import replacing, write_durably

from .extra import imported

PREDICTED, FAILED = 'predicted', 'failed'
FOOTER = b'mmomni'
"""Key of what the footer of a shard's records tells."""
BUFFERED = 1 << 25
"""Bytes of pictures that a worker holds before it writes them."""
TEXTS = (
    'path', 'picture', 'status', 'reason', 'image', 'verdict', 'pooling', 'dct_source',
    'gate_modality', 'sha256', 'examined_at', 'mmomni', 'record',
)  # fmt: skip
NUMBERS = ('score', 'tampered_share', 'gate_confidence', 'seconds')
LISTS = ('warnings', 'damage')
COUNTS = ('page', 'num_regions', 'width', 'height', 'orientation', 'size_bytes', 'mtime_ns')


class Count(NamedTuple):
    """What a shard holds.

    Attributes:
        files: Of the plan, each ``predicted`` or ``failed``.
        predicted: See :class:`~mmomni.reporting.archives.ArchiveAccount`.
        failed: Likewise.
        pictures: Likewise.
        flagged: Likewise.
        picture_bytes: Size of the file of pictures.
        damaged: As ``predicted``; shards of earlier versions do not tell.
    """

    files: int
    predicted: int
    failed: int
    pictures: int
    flagged: int
    picture_bytes: int
    damaged: int = 0


class Shard(NamedTuple):
    """Where a shard of an archive lies."""

    root: Path
    number: int

    def _file(self, folder: str, suffix: str) -> Path:
        return self.root / folder / f'part-{self.number:05d}.{suffix}'

    @property
    def records(self) -> Path:
        """A row for each picture: what is known of it, or why it failed."""
        return self._file('records', 'parquet')

    @property
    def pictures(self) -> Path:
        """A row for each picture file of a record."""
        return self._file('pictures', 'parquet')

    @property
    def begun(self) -> Path:
        """Which files a worker is at."""
        return self._file('begun', 'txt')

    def counted(self) -> Count | None:
        """What it holds if it is done; ``None``: it is not, or not as it was written."""
        parquet, arrow = imported('pyarrow.parquet'), imported('pyarrow')
        try:
            told = parquet.read_metadata(self.records).metadata[FOOTER]
            count = Count(**json.loads(told))
            whole = self.pictures.stat().st_size == count.picture_bytes
        except (OSError, arrow.ArrowInvalid, KeyError, TypeError, ValueError):
            return None
        return count if whole else None


class ShardWriter:
    """Writes a shard; nothing is there before :meth:`close`."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._rows: list[dict[str, Any]] = []
        self._pictures: list[dict[str, Any]] = []
        self._buffered = 0
        self._closing = ExitStack()

    def __enter__(self) -> 'ShardWriter':
        arrow, parquet = imported('pyarrow'), imported('pyarrow.parquet')
        target = self._shard.pictures
        for folder in (target.parent, self._shard.records.parent):
            folder.mkdir(parents=True, exist_ok=True)
        names = ('path', 'picture', 'file')
        self._schema = arrow.schema(
            [(name, arrow.string()) for name in names] + [('content', arrow.binary())]
        )
        unfinished = self._closing.enter_context(replacing(target, _unfinished(target)))
        # Pictures are compressed as they are, and none is like another.
        self._writer = self._closing.enter_context(
            parquet.ParquetWriter(
                unfinished, self._schema, compression='none', use_dictionary=list(names)
            )
        )
        return self

    def __exit__(self, *error: Any) -> None:
        self._closing.__exit__(*error)

    def add(self, record: Mapping[str, Any], contents: Mapping[str, bytes]) -> None:
        """A record as a line of ``predictions.jsonl`` has it, and its pictures by their names."""
        gate = record['gate'] or {}
        self._rows.append(
            dict(
                record, status=PREDICTED, record=json_line(record).rstrip('\n'),
                gate_modality=gate.get('modality'), gate_confidence=gate.get('confidence'),
            )
        )  # fmt: skip
        place = dict(path=as_text(record['path']), picture=as_text(record['picture']))
        for file, content in contents.items():
            self._pictures.append(dict(place, file=as_text(file), content=content))
            self._buffered += len(content)
        if self._buffered >= BUFFERED:
            self._write_pictures()

    def add_failure(self, file: ImageFile, reason: str) -> None:
        """A picture, or a file, that could not be examined."""
        row = dict(path=str(file.path), image=str(file.relative), status=FAILED, reason=reason)
        self._rows.append(dict(row, **place_of(file)))

    def close(self, files: int) -> Count:
        """Write all of it, of so many files of the plan."""
        self._write_pictures()
        self._closing.close()
        failed = {row['path'] for row in self._rows if row['status'] == FAILED}
        damaged = {row['path'] for row in self._rows if row.get('damage')} - failed
        pictures = sum(row['status'] == PREDICTED for row in self._rows)
        flagged = sum(row.get('verdict') == 'tampered' for row in self._rows)
        size = self._shard.pictures.stat().st_size
        predicted = files - len(failed)
        count = Count(files, predicted, len(failed), pictures, flagged, size, len(damaged))
        target = self._shard.records
        write_durably(target, _records_parquet(self._rows, count), _unfinished(target))
        return count

    def _write_pictures(self) -> None:
        if self._pictures:
            table = imported('pyarrow').Table.from_pylist(self._pictures, self._schema)
            self._writer.write_table(table)
        self._pictures, self._buffered = [], 0


def _unfinished(target: Path) -> Path:
    """Where a file is written: hidden, so that who reads the folder as one table passes it over.

    A worker that is killed leaves it. Those of several machines may have one number of a process.
    """
    return target.with_name(f'.{target.name}.{socket.gethostname()}-{os.getpid()}.part')


def _records_parquet(rows: list[dict[str, Any]], count: Count) -> bytes:
    arrow, parquet = imported('pyarrow'), imported('pyarrow.parquet')
    schema = arrow.schema(
        [
            *((name, arrow.string()) for name in TEXTS),
            *((name, arrow.float64()) for name in NUMBERS),
            *((name, arrow.int64()) for name in COUNTS),
            *((name, arrow.list_(arrow.string())) for name in LISTS),
        ],
        metadata={FOOTER: json.dumps(count._asdict())},
    )
    table = [
        {name: row.get(name) for name in (*NUMBERS, *COUNTS)}
        | {name: as_text(row.get(name)) for name in TEXTS}
        | {name: [as_text(text) for text in row.get(name) or ()] for name in LISTS}
        for row in rows
    ]
    sink = arrow.BufferOutputStream()
    parquet.write_table(arrow.Table.from_pylist(table, schema), sink, compression='zstd')
    return sink.getvalue().to_pybytes()


def as_text(value: str | None) -> str | None:
    """A name of a file is bytes: of what is no UTF-8, the code of a surrogate stands there."""
    return value and value.encode(errors='backslashreplace').decode()
