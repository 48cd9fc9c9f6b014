"""Gather finished runs into the paper's ablation table (Table 5).

    python tools/analysis_tools/ablation_table.py work_dirs/mini/*

Every folder is a run: the config that mmengine left there names the row and the seed, and
``results.json`` of ``tools/test.py`` holds the figures. Runs of one row are averaged over seeds.
"""

import argparse
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

from mmengine.config import Config

from mmomni.evaluation.paper_tables import paper_figures
from mmomni.evaluation.published import PAPER_DOMAINS
from mmomni.utils.tables import markdown_table

# Names of our configs -> rows of the paper
ROWS = {
    'upernet': 'Baseline',
    'omni-iml-wo-mg': 'w.o. MG',
    'omni-iml-wo-mg-star': 'w.o. MG*',
    'omni-iml-wo-dwd': 'w.o. DWD',
    'omni-iml-wo-dw': 'w.o. DW',
    'omni-iml-wo-ae': 'w.o. AE',
    'omni-iml': 'Omni-IML',
}

Row = dict[str, float]


def read_run(folder: Path) -> tuple[str, int, Row]:
    """Config, seed and mean IoU by column of one finished run.

    The columns are the averages of its own tables, in which each set is scored by the paper's
    protocol and none is missing.

    Raises:
        ValueError: The folder holds no config, no results, or results of other domains.
    """
    configs = sorted(folder.glob('*.py'))
    results = folder / 'results.json'
    if len(configs) != 1 or not results.is_file():
        raise ValueError(
            f'{folder}: expected one config and results.json, got {len(configs)} configs and '
            f'{"a" if results.is_file() else "no"} results.json; run tools/train.py and '
            'tools/test.py with this --work-dir'
        )
    tables = json.loads(results.read_text())['tables']
    rows = [row for table in tables for row in table['rows'] if row['is_average']]
    scores = {r['name']: r['scores']['IoU'] for r in rows if r['name'] == r['domain']}
    notes = [f'{row["name"]}: {row["note"]}' for row in rows if row['note']]
    absent = [name for name in PAPER_DOMAINS if name not in scores]
    if absent or notes:
        raise ValueError(
            f'{results}: expected averages over all sets of the domains {PAPER_DOMAINS}, '
            f'{f"{absent} are missing" if absent else "; ".join(notes)}; test all sets'
        )
    average = statistics.mean(scores[name] for name in PAPER_DOMAINS)
    others = {name: score for name, score in scores.items() if name not in PAPER_DOMAINS}
    columns = {name: scores[name] for name in PAPER_DOMAINS} | {'average': average} | others
    seed = Config.fromfile(configs[0]).randomness.seed
    return configs[0].stem, seed, columns


def gather(folders: Sequence[Path]) -> tuple[dict[str, dict[int, Row]], list[str]]:
    """``{row: {seed: columns}}`` of the readable folders, and a message for each other one."""
    rows: dict[str, dict[int, Row]] = defaultdict(dict)
    errors = []
    for folder in folders:
        try:
            name, seed, columns = read_run(folder)
        except (ValueError, KeyError, OSError) as error:
            errors.append(str(error))
            continue
        if seed in rows[name]:
            errors.append(f'{folder}: a second run of {name} with seed {seed} is left out')
        rows[name].setdefault(seed, columns)
    return dict(rows), errors


def markdown(rows: dict[str, dict[int, Row]]) -> str:
    """The table: mean over seeds (and standard deviation), the paper's figure in brackets."""
    every_run = [run for runs in rows.values() for run in runs.values()]
    columns = list(dict.fromkeys(column for run in every_run for column in run))
    order = sorted(rows, key=_place)
    lines = []
    for name in order:
        row = ROWS.get(_short(name))
        paper = _paper_ious(row)
        runs = rows[name]
        scores = {c: [run[c] for run in runs.values() if c in run] for c in columns}
        cells = [cell(scores[c], paper.get(c)) for c in columns]
        seeds = ', '.join(str(seed) for seed in sorted(runs))
        lines.append([row or _short(name), *cells, seeds, name])
    table = '\n'.join(markdown_table(['mean IoU', *columns, 'seeds', 'config'], lines))
    return f'{table}\n\nIn brackets: the paper (Table 5).'


def _short(config: str) -> str:
    return config.split('_', maxsplit=1)[0]


def _place(config: str) -> tuple[int, str]:
    """Rows of the paper in its order, then all others."""
    short = _short(config)
    return (list(ROWS).index(short) if short in ROWS else len(ROWS), config)


def _paper_ious(row: str | None) -> dict[str, float]:
    figures = paper_figures(row) if row else {}
    return {column: figure.scores['IoU'] for column, figure in figures.items()}


def cell(values: Sequence[float], paper: float | None) -> str:
    """Mean, deviation over seeds if there are several, and the paper's figure in brackets."""
    if not values:
        return '-'
    spread = f' ± {statistics.stdev(values):.3f}' if len(values) > 1 else ''
    beside = '' if paper is None else f' ({paper:.3f})'
    return f'{statistics.mean(values):.3f}{spread}{beside}'


def main() -> int:
    parser = argparse.ArgumentParser(description='Gather finished runs into one table')
    parser.add_argument('work_dirs', nargs='+', type=Path, help='one folder a run')
    parser.add_argument('--out', type=Path, help='also write the table (Markdown) here')
    args = parser.parse_args()
    rows, errors = gather(args.work_dirs)
    for error in errors:
        print(error, file=sys.stderr)
    if not rows:
        return 1
    table = markdown(rows)
    print(table)
    if args.out:
        args.out.write_text(table + '\n')
    return 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main())
