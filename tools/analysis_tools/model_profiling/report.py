"""Results of a benchmark as a table and as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmomni.utils.tables import markdown_table

from .subjects import Case
from .timing import Reading, Readings, describe, median_ratio, name_of_bounds, variant

Row = dict[str, Any]
MISSING = '-'
COLUMNS = (
    'model', 'parameters (M)', 'multiply-adds (G)', 'ratio of these', 'ms',
    'ratio of ms ({})', 'ratio of busy ms', 'images/s', 'memory (MiB)', 'limit (ms)',
    'of the limit',
)  # fmt: skip


def rows_of(readings: Readings, baseline: str) -> list[Row]:
    """One row for each model and case, with medians and ratios to the baseline's same round.

    ``wall`` and ``busy`` hold the median of the rounds in seconds; ``wall_ratio`` and
    ``busy_ratio`` those of :func:`median_ratio`, ``None`` without the baseline.
    """
    rows = []
    for (name, case), found in readings.items():
        base = readings.get((baseline, case))
        row: Row = {'model': name, **case._asdict(), 'rounds': [list(each) for each in found]}
        for field in Reading._fields:
            values = [getattr(each, field) for each in found]
            row[field] = float(np.median(values))
            base_values = [getattr(each, field) for each in base or ()]
            row[f'{field}_ratio'] = median_ratio(values, base_values) if base else None
        rows.append(row)
    return rows


def case_of(row: Mapping[str, Any]) -> Case:
    """The case that a row is of."""
    return Case(*(row[field] for field in Case._fields))


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return '\n'.join([*markdown_table(header, lines), ''])


def _number(value: float | None, digits: int = 2) -> str:
    return MISSING if value is None else f'{value:,.{digits}f}'


def _ratio(value: float, base: float | None) -> str:
    return _number(value / base if base else None)


def _spread(ratio: Sequence[float] | None) -> str:
    return MISSING if ratio is None else f'{ratio[1]:.2f} ({ratio[0]:.2f} to {ratio[2]:.2f})'


def cost_table(rows: Sequence[Row], models: Mapping[str, Row], baseline: str, mode: str) -> str:
    """The rows of one case; ``mode`` is ``'inference'`` or ``'training'``."""
    base = next((row for row in rows if row['model'] == baseline), {})
    lines = []
    for row in rows:
        limit = row['limits']['both'] if 'limits' in row else None
        memory = row.get('memory')
        lines.append([
            row['model'],
            _number(models[row['model']]['parameters'][mode] / 1e6, 1),
            _number(row['macs'] / 1e9, 1) if 'macs' in row else MISSING,
            _ratio(row['macs'], base.get('macs')) if 'macs' in row else MISSING,
            _number(1000 * row['wall'], 1),
            _spread(row['wall_ratio']),
            _spread(row['busy_ratio']),
            _number(row['batch'] / row['wall']),
            _number(memory / 2**20, 0) if memory is not None else MISSING,
            _number(1000 * limit, 1) if limit else MISSING,
            f'{100 * limit / row["busy"]:.0f} %' if limit else MISSING,
        ])  # fmt: skip
    bounds = name_of_bounds(len(rows[0]['rounds']))
    return _table([column.format(bounds) for column in COLUMNS], lines)


def forms_table(rows: Sequence[Row], baseline: str) -> str:
    """Every model and form beside the baseline in every form, within a round.

    The last column is how far a logit is at most from the same model's in the form named there, in
    standard deviations of its logits: the probabilities of random weights are all near 0 or 1.
    """
    bases = [row for row in rows if row['model'] == baseline]
    bounds = name_of_bounds(len(rows[0]['rounds']))
    header = ['model', 'form', *(f'of {baseline}, {_variant(base)} ({bounds})' for base in bases)]
    lines = []
    for row in rows:
        ratios = [_spread(median_ratio(_walls(row), _walls(base))) for base in bases]
        difference = row.get('difference')
        differs = MISSING if difference is None else f'{difference:.1e}'
        lines.append([row['model'], _variant(row), *ratios, differs])
    return _table([*header, f'logits differ from {_variant(rows[0])} by'], lines)


def _variant(row: Row) -> str:
    return variant(case_of(row))


def _walls(row: Row) -> list[float]:
    return [wall for wall, _ in row['rounds']]


def modules_table(models: Mapping[str, Row], baseline: str) -> str:
    """Multiply-adds (G) of every part of every model, their total, and its ratio."""
    parts = sorted({part for model in models.values() for part in model.get('macs', ())})
    lines = [
        [part, *(_number(m.get('macs', {}).get(part, 0) / 1e9) for m in models.values())]
        for part in parts
    ]
    totals = {name: sum(model.get('macs', {}).values()) for name, model in models.items()}
    lines.append(['total', *(_number(total / 1e9) for total in totals.values())])
    base = totals.get(baseline)
    lines.append(['ratio', *(_ratio(total, base) for total in totals.values())])
    return _table(['multiply-adds (G)', *models], lines)


def shares_table(row: Row) -> str:
    """Forward, backward and step of every part, in ms and per cent of the step."""
    total = sum(sum(phases.values()) for phases in row['shares'].values())
    phases = ('forward', 'backward', 'step')
    lines = []
    for part, times in row['shares'].items():
        share = 100 * sum(times.values()) / total
        spent = [_number(1000 * times.get(phase, 0), 1) for phase in phases]
        lines.append([part, *spent, f'{share:.1f} %'])
    return _table([row['model'], *(f'{phase} (ms)' for phase in phases), 'share'], lines)


def together(rows: Sequence[Row], *fields: str) -> list[list[Row]]:
    """Rows that are alike in these fields."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[field] for field in fields), []).append(row)
    return list(groups.values())


def markdown(results: Mapping[str, Any]) -> str:
    """Everything that a person wants to read."""
    machine, models, baseline = (results[key] for key in ('machine', 'models', 'baseline'))
    speeds = ', '.join(f'{k} {v / 1e9:,.0f} GFLOP/s' for k, v in machine['flops'].items())
    load = ' to '.join(f'{value:.1f}' for value in machine['load'])
    where = (
        f'Machine: {machine["device"]}, torch {machine["torch"]}, threads: {machine["threads"]} '
        f'(OMP_PROC_BIND {machine["binding"]}), load {load}; products at most {speeds}; '
        f'copy {machine["bandwidth"] / 1e9:,.1f} GB/s. Baseline: {baseline}.\n'
    )
    text = [where]
    for mode, key in (('inference', 'latency'), ('training', 'training')):
        for rows in together(results.get(key, []), *Case._fields):
            text.append(f'### {mode.capitalize()}, {describe(case_of(rows[0]))}\n')
            text.append(cost_table(rows, models, baseline, mode))
            text += [shares_table(row) for row in rows if 'shares' in row]
    for rows in together(results.get('latency', []), 'size', 'batch', 'precision'):
        if len({_variant(row) for row in rows}) == 1:
            continue
        case = case_of(rows[0])
        title = f'{case.size} px, batch {case.batch}, {case.precision}'
        text += [f'### Ratios of ms between forms, {title}\n', forms_table(rows, baseline)]
    text += ['### Multiply-adds by module, one image, eager\n', modules_table(models, baseline)]
    breaks = [
        f'Graph breaks of torch.compile, {row["model"]}: {row["graph_breaks"]}'
        for row in results.get('latency', []) if 'graph_breaks' in row
    ]  # fmt: skip
    text += dict.fromkeys(breaks)  # the same in every case
    for row in results.get('training', []):
        if 'synchronisations' in row:
            counts = ', '.join(f'{k} {v}' for k, v in row['synchronisations'].items())
            text.append(f'Synchronisations of a training step, {row["model"]}: {counts}')
            text += [f'- {line}' for line in row['synchronisations_of_ours']]
    text += [f'FAILED {name}, {what}: {error}' for name, what, error in results['failures']]
    return '\n'.join(text) + '\n'


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Ratios to the baseline as grouped bars: multiply-adds, latencies, training steps."""
    from matplotlib.figure import Figure

    bars = _bars(results)
    names = list(results['models'])
    figure = Figure(figsize=(8, 1.2 + 0.28 * len(names) * (len(bars) + 1)), layout='constrained')
    axis = figure.subplots()
    height = 0.85 / max(1, len(bars))
    for number, (label, values) in enumerate(bars.items()):
        known = [(place, values[name]) for place, name in enumerate(names) if name in values]
        places = [place + (number - (len(bars) - 1) / 2) * height for place, _ in known]
        drawn = axis.barh(places, [value for _, value in known], height, label=label)
        axis.bar_label(drawn, fmt='%.2f', padding=2, fontsize=7)
    axis.axvline(1, color='black', lw=0.8)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.margins(x=0.08)  # room for the label of the longest bar
    axis.set_xlabel(f'ratio to {results["baseline"]} (median of interleaved rounds)')
    if bars:
        figure.legend(loc='outside upper center', ncols=2, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _bars(results: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """By label, the ratio of every model that has one."""
    models, baseline = results['models'], results['baseline']
    totals = {name: sum(model.get('macs', {}).values()) for name, model in models.items()}
    bars = {}
    if totals.get(baseline):
        bars['multiply-adds, eager'] = {k: v / totals[baseline] for k, v in totals.items() if v}
    for key, label in (('latency', 'latency'), ('training', 'training step')):
        for rows in together(results.get(key, []), *Case._fields):
            ratios = {row['model']: row['wall_ratio'][1] for row in rows if row['wall_ratio']}
            bars[f'{label}, {describe(case_of(rows[0]))}'] = ratios
    return bars
