"""Tables that set one's own figures beside those of the paper."""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .published import (
    PAPER_AVERAGES,
    PAPER_DOMAINS,
    PAPER_READINGS,
    PAPER_SETS,
    TOTAL,
    Figures,
    Key,
    paper_figures,
)

SCORES = ('IoU', 'F1', 'precision', 'recall')
COUNTS = ('tampered', 'authentic', 'unreadable', 'skipped')
READING_NOTE = "as the paper's table fits; its text, and the averages: "
PLUS = ' + '  # joins the protocols of an average


@dataclass
class Row:
    """A set, or an average over sets.

    Attributes:
        name: Of the set or average.
        domain: Empty for the total.
        is_average: A mean over other rows.
        protocol: What the scores were computed by; of an average, all there are.
        test_input: ``'native'`` or how it was resized; of an average, all there are.
        scores: Those that exist, in [0, 1]; none of a missing set.
        counts: Images, by kind.
        paper: The paper's scores, empty where they do not compare.
        table: The paper's table that ``paper`` stands in.
        note: What one has to know about this row.
    """

    name: str
    domain: str
    is_average: bool = False
    protocol: str = ''
    test_input: str = ''
    scores: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    paper: dict[str, float] = field(default_factory=dict)
    table: int | None = None
    note: str = ''


@dataclass
class Table:
    """Rows under a title."""

    title: str
    rows: list[Row]


def build_tables(
    metrics: Mapping[str, float],
    missing: Collection[Key] = (),
    test_inputs: Mapping[Key, str] | None = None,
    paper_row: str | None = 'Omni-IML',
) -> list[Table]:
    """One table for the sets of the paper and one for all others, where there are any.

    Every set of the paper is scored by the paper's protocol; if that was not evaluated, by what
    was, without comparison. Others are scored by ``per_image`` if possible. An average in which a
    set of the paper is missing says so, and is not compared either.

    Args:
        metrics: Flat keys ``<protocol>/datasets/<domain>/<name>/<score>``, as
            :class:`mmomni.ManipulationMetric` returns them; other keys are passed over.
        missing: Sets of the paper that were asked for and are not there.
        test_inputs: By set, see :func:`mmomni.datasets.configured.inputs_of_sets`.
        paper_row: See :func:`paper_figures`.
    """
    figures = paper_figures(paper_row)
    found = _by_set(metrics)
    rows = {
        key: _set_row(key, by_protocol, (test_inputs or {}).get(key, ''), figures)
        for key, by_protocol in found.items()
    }
    papers = {key: rows.pop(key) for key in PAPER_SETS if key in rows}
    readings = {
        key: _reading_row(papers[key], {protocol: found[key][protocol]}, figures)
        for key, protocol in PAPER_READINGS.items()
        if key in papers and protocol in found[key] and papers[key].protocol != protocol
    }
    tables = []
    if papers:
        title = f'paper: {paper_row}' if paper_row else 'sets of the paper'
        tables.append(Table(title, _paper_rows(papers, readings, missing, figures)))
    if rows:
        tables.append(Table('other sets' if papers else 'results', _other_rows(rows)))
    return tables


def _by_set(metrics: Mapping[str, float]) -> dict[Key, dict[str, dict[str, float]]]:
    """``{(domain, name): {protocol: {score or count: value}}}`` of flat keys."""
    found: dict = defaultdict(lambda: defaultdict(dict))
    for key, value in metrics.items():
        parts = key.split('/')
        if len(parts) >= 5 and parts[1] == 'datasets':
            found[parts[2], '/'.join(parts[3:-1])][parts[0]][parts[-1]] = value
    localised = {
        key: {protocol: row for protocol, row in rows.items() if not row.keys().isdisjoint(SCORES)}
        for key, rows in found.items()
    }
    return {key: rows for key, rows in localised.items() if rows}


def _set_row(
    key: Key,
    by_protocol: Mapping[str, Mapping[str, float]],
    test_input: str,
    figures: Mapping[str, Figures],
    wanted: str | None = None,
) -> Row:
    domain, name = key
    wanted = wanted or PAPER_SETS.get(key, 'per_image')
    choices = [each for each in (wanted, 'per_image') if each in by_protocol]
    protocol = (choices or list(by_protocol))[0]
    values = by_protocol[protocol]
    counts = {kind: int(values[kind]) for kind in COUNTS if kind in values}
    row = Row(
        name, domain, protocol=protocol, test_input=test_input, counts=counts,
        scores={
            score: float(values[score])
            for score in SCORES if not math.isnan(values.get(score, math.nan))
        },
    )  # fmt: skip
    notes = [f'{counts[kind]} {kind}' for kind in COUNTS[1:] if counts.get(kind)]
    if failed := int(values.get('failed', 0)):
        notes.append(f'{failed} failed')
    if key in PAPER_SETS and protocol != wanted:
        notes.insert(0, f'the paper: {wanted}')
    elif key in PAPER_SETS and name in figures:
        row.table, row.paper = figures[name]
    row.note = ', '.join(notes)
    return row


def _reading_row(
    row: Row, by_protocol: Mapping[str, Mapping[str, float]], figures: Mapping[str, Figures]
) -> Row:
    """The set of a row by its other protocol."""
    (protocol,) = by_protocol
    key = row.domain, row.name
    reading = _set_row(key, by_protocol, row.test_input, figures, protocol)
    note = READING_NOTE + PAPER_SETS[key]
    return replace(
        reading,
        name=f'{row.name} ({protocol})',
        note=f'{note}, {reading.note}' if reading.note else note,
    )


def _paper_rows(
    found: Mapping[Key, Row],
    readings: Mapping[Key, Row],
    missing: Collection[Key],
    figures: Mapping[str, Figures],
) -> list[Row]:
    rows: list[Row] = []
    domains: list[Row] = []
    for domain in PAPER_DOMAINS:
        keys = [key for key in PAPER_SETS if key[0] == domain and key in {*found, *missing}]
        for key in keys:
            rows.append(found.get(key) or _missing(key, figures))
            rows += [readings[key]] if key in readings else []
        for name, members in PAPER_AVERAGES.items():
            present = [found[key] for key in members if key in found]
            if members[0][0] == domain and any(row.scores for row in present):
                rows.append(_compared(_average(name, domain, present), present, members, figures))
        domains += [rows[-1]] if rows and rows[-1].name == domain else []
    total = _average(TOTAL, '', domains)
    return [*rows, _compared(total, list(found.values()), tuple(PAPER_SETS), figures)]


def _missing(key: Key, figures: Mapping[str, Figures]) -> Row:
    row = Row(key[1], key[0], note='missing')
    if row.name in figures:
        row.table, row.paper = figures[row.name]
    return row


def _compared(
    average: Row, present: Sequence[Row], members: Sequence[Key], figures: Mapping[str, Figures]
) -> Row:
    """``average`` with the paper's figures, or with the reason why it does not compare."""
    scored = [row for row in present if row.scores]
    others = [row.name for row in scored if row.protocol != PAPER_SETS[row.domain, row.name]]
    average.note = ''
    if len(scored) < len(members):
        average.note = f'over {len(scored)} of {len(members)} sets'
    elif others:
        average.note = f'other protocol: {", ".join(others)}'
    elif average.name in figures:
        average.table, average.paper = figures[average.name]
    return average


def _other_rows(found: Mapping[Key, Row]) -> list[Row]:
    by_domain: dict[str, list[Row]] = defaultdict(list)
    for (domain, _), row in found.items():
        by_domain[domain].append(row)
    averages = {domain: _average(domain, domain, rows) for domain, rows in by_domain.items()}
    rows = [row for domain in by_domain for row in (*by_domain[domain], averages[domain])]
    return [*rows, _average(TOTAL, '', list(averages.values()))]


def _average(name: str, domain: str, rows: Sequence[Row]) -> Row:
    """Scores that all scored ``rows`` have, averaged; counts summed."""
    scored = [row for row in rows if row.scores]
    shared = [score for score in SCORES if all(score in row.scores for row in scored)]
    kinds = [kind for kind in COUNTS if any(kind in row.counts for row in rows)]
    protocols = [protocol for row in scored for protocol in row.protocol.split(PLUS)]
    inputs = dict.fromkeys(row.test_input for row in scored if row.test_input)
    return Row(
        name, domain, is_average=True, protocol=PLUS.join(dict.fromkeys(protocols)),
        test_input=' and '.join(inputs),
        scores={
            score: sum(row.scores[score] for row in scored) / len(scored)
            for score in shared if scored
        },
        counts={kind: sum(row.counts.get(kind, 0) for row in rows) for kind in kinds},
        note='' if len(scored) == len(rows) else f'over {len(scored)} of {len(rows)}',
    )  # fmt: skip
