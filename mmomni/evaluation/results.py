import csv
import logging
import math
import os.path as osp
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from numbers import Real
from pathlib import Path
from typing import Any

import mmengine
from mmengine.config import Config
from mmengine.logging import print_log

from mmomni.datasets.configured import AbsentSet, describe_absent, inputs_of_sets
from mmomni.utils.files import replacing
from mmomni.utils.tables import framed_table, markdown_table

from .paper_tables import COUNTS, SCORES, Row, Table, build_tables, paper_figures

LEGEND = "Cells: ours (the paper's, difference)."


def nest(metrics: Mapping[str, Any]) -> dict:
    """``{'a/b': 1}`` -> ``{'a': {'b': 1}}``, the form of ``results.json``; NaN becomes ``None``."""
    nested: dict = {}
    for key, value in metrics.items():
        *groups, name = key.split('/')
        inner = nested
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[name] = None if isinstance(value, Real) and math.isnan(value) else value
    return nested


class Report:
    """What a run of ``tools/test.py`` leaves behind: tables beside the paper's figures, in files.

    Made before the run, so that what is wrong with the config shows at once.

    Args:
        cfg: Its ``paper_row`` names the row of the paper to compare with (default ``'Omni-IML'``;
            ``None``: with none).
        absent: Sets that were taken out of it.

    Raises:
        ValueError: The paper has no such row.
    """

    def __init__(self, cfg: Config, absent: Sequence[AbsentSet] = ()) -> None:
        self.work_dir = cfg.work_dir
        self.absent = absent
        self.paper_row = cfg.get('paper_row', 'Omni-IML')
        paper_figures(self.paper_row)
        self.inputs = inputs_of_sets(cfg)
        self.test_input = ' and '.join(dict.fromkeys(self.inputs.values()))
        self.about = dict(config=cfg.filename, checkpoint=cfg.load_from, test_input=self.test_input)

    def name_absent(self) -> None:
        """Log the sets that are left out."""
        if self.absent:
            print_log(self._absent(), logger='current', level=logging.WARNING)

    def write(self, metrics: Mapping[str, Any]) -> None:
        """Log the tables; write ``results.json`` and, if there are any, ``.csv`` and ``.md``.

        Raises:
            OSError: A file cannot be written; an earlier one of that name is left as it was.
        """
        missing = {(each.domain, each.name) for each in self.absent}
        tables = build_tables(metrics, missing, self.inputs, self.paper_row)
        for table in tables:
            print_log(f'{self._title(table)}\n{_text(table)}', logger='current')
        if self.absent:  # not as a warning, of which mmengine's logger shows no second one
            print_log(self._absent(), logger='current')
        paths = [osp.join(self.work_dir, f'results.{kind}') for kind in ('json', 'csv', 'md')]
        with replacing(Path(paths[0])) as unfinished:
            content = self._content(metrics, tables)
            mmengine.dump(content, str(unfinished), file_format='json', indent=2)
        if not tables:
            print_log(f'no table: none of {SCORES} among the metrics', logger='current')
        else:
            with replacing(Path(paths[1])) as unfinished:
                _write_csv(unfinished, tables)
            with replacing(Path(paths[2])) as unfinished:
                unfinished.write_text(self._markdown(tables), encoding='utf-8')
        print_log(f'results: {", ".join(paths if tables else paths[:1])}', logger='current')

    def _absent(self) -> str:
        return describe_absent(self.absent, len(self.absent) + len(self.inputs))

    def _title(self, table: Table) -> str:
        return f'{table.title}, test input: {self.test_input}'

    def _content(self, metrics: Mapping[str, Any], tables: Sequence[Table]) -> dict:
        return {
            **nest(metrics),
            **self.about,
            'missing': [each._asdict() for each in self.absent],
            'tables': [_as_dict(table) for table in tables],
        }

    def _markdown(self, tables: Sequence[Table]) -> str:
        lines = ['# Results', '']
        lines += [f'- {name.replace("_", " ")}: {value}' for name, value in self.about.items()]
        for table in tables:
            columns = _columns(table)
            lines += ['', f'## {self._title(table)}', '']
            lines += markdown_table(columns, [_cells(row, columns) for row in table.rows])
            lines += ['', *_legend(table)]
        if self.absent:
            first, *others = self._absent().splitlines()
            lines += ['', first, '', *(f'- {line.strip()}' for line in others)]
        return '\n'.join([*lines, ''])


# ---- rendering -----------------------------------------------------------------------------


def difference(row: Row, score: str) -> float | None:
    """Ours less the paper's, where both exist."""
    if score not in row.scores or score not in row.paper:
        return None
    return row.scores[score] - row.paper[score]


def _columns(table: Table) -> list[str]:
    scores = [score for score in SCORES if any(score in row.scores for row in table.rows)]
    numbered = ['table'] if any(row.table for row in table.rows) else []
    return ['', *numbered, *scores, 'images', 'protocol', 'note']


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    images = row.counts.get('tampered', 0) + row.counts.get('authentic', 0)
    fixed = {
        '': f'= {row.name}' if row.is_average else row.name,
        'table': str(row.table or ''),
        'images': str(images) if row.counts else '',
        'protocol': row.protocol,
        'note': row.note,
    }
    return [fixed[column] if column in fixed else _score(row, column) for column in columns]


def _score(row: Row, score: str) -> str:
    ours = f'{row.scores[score]:.3f}' if score in row.scores else '-'
    if score not in row.paper:
        return ours
    delta = difference(row, score)
    return f'{ours} ({row.paper[score]:.3f}{"" if delta is None else f", {delta:+.3f}"})'


def _text(table: Table) -> str:
    columns = _columns(table)
    domains = [
        number for number, row in enumerate(table.rows)
        if row.is_average and row.name == row.domain
    ]  # fmt: skip
    cells = [_cells(row, columns) for row in table.rows]
    return '\n'.join([framed_table(columns, cells, 'l', domains), *_legend(table)])


def _legend(table: Table) -> list[str]:
    return [LEGEND] if any(row.paper for row in table.rows) else []


def _as_dict(table: Table) -> dict:
    rows = []
    for row in table.rows:
        deltas = {score: difference(row, score) for score in row.scores}
        known = {score: delta for score, delta in deltas.items() if delta is not None}
        rows.append(asdict(row) | dict(difference=known))
    return dict(title=table.title, rows=rows)


def _write_csv(path: Path, tables: Sequence[Table]) -> None:
    """One line a row; scores as three columns each: ours, the paper's, difference."""
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        scores = [f'{score}{part}' for score in SCORES for part in ('', '_paper', '_difference')]
        texts = ['title', 'table', 'domain', 'name', 'is_average', 'protocol', 'test_input']
        writer.writerow([*texts, *scores, *COUNTS, 'note'])
        for table in tables:
            for row in table.rows:
                about = [table.title, *(getattr(row, name) for name in texts[1:])]
                values = [
                    value for score in SCORES
                    for value in (
                        row.scores.get(score), row.paper.get(score), difference(row, score)
                    )
                ]  # fmt: skip
                counts = [row.counts.get(kind) for kind in COUNTS]
                writer.writerow([*about, *values, *counts, row.note])
