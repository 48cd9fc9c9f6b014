"""The figures of the paper, and tables that set one's own beside them.

Sets are keyed by ``(domain, name)``; figures by the name of a set or of an average.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

SCORES = ('IoU', 'F1', 'precision', 'recall')
COUNTS = ('tampered', 'authentic', 'unreadable', 'skipped')
TOTAL = 'average'
PLUS = ' + '  # joins the protocols of an average
Key = tuple[str, str]

# ---- the paper ---------------------------------------------------------------------------------

PAPER_SETS: dict[Key, str] = {
    ('natural', 'CASIAv1'): 'per_image',
    ('natural', 'Coverage'): 'per_image',
    ('natural', 'CocoGlide'): 'per_image',
    ('natural', 'NIST16'): 'per_image',
    ('natural', 'IMD20'): 'per_image',
    ('document', 'SACP'): 'per_image',
    ('document', 'DocTamper-TestingSet'): 'doctamper',
    ('document', 'DocTamper-FCD'): 'doctamper',
    ('document', 'DocTamper-SCD'): 'doctamper',
    ('face', 'FaceShifter'): 'per_image',
}
"""The test sets (section 4.1), in the order of its tables, and the protocol each is scored by."""

PAPER_AVERAGES: dict[str, tuple[Key, ...]] = {
    'natural without IMD20': tuple(PAPER_SETS)[:4],
    'natural': tuple(PAPER_SETS)[:5],
    'document': tuple(PAPER_SETS)[5:9],
    'face': tuple(PAPER_SETS)[9:],
}
"""Means over sets; the total is the mean of the three domains."""


class Figures(NamedTuple):
    """What the paper reports of one set or average: in which table, and scores in [0, 1]."""

    table: int
    scores: dict[str, float]


def _averages(table: int, *figures: float) -> dict[str, Figures]:
    """IoU and F1 of natural, document, face and of their average, as Tables 5 and 6 list them."""
    names = ('natural', 'document', 'face', TOTAL)
    return {
        name: Figures(table, dict(IoU=iou, F1=f1))
        for name, iou, f1 in zip(names, figures[::2], figures[1::2], strict=True)
    }


PAPER_ROWS: dict[str, dict[str, Figures]] = {
    'Omni-IML': {
        'CASIAv1': Figures(1, dict(IoU=0.798, F1=0.834)),
        'Coverage': Figures(1, dict(IoU=0.524, F1=0.576)),
        'CocoGlide': Figures(1, dict(IoU=0.448, F1=0.505)),
        'NIST16': Figures(1, dict(IoU=0.556, F1=0.630)),
        'IMD20': Figures(1, dict(IoU=0.662, F1=0.740)),
        'natural without IMD20': Figures(1, dict(IoU=0.582, F1=0.636)),
        'natural': Figures(1, dict(IoU=0.598, F1=0.657)),
        'SACP': Figures(2, dict(IoU=0.714, F1=0.820)),
        'DocTamper-TestingSet': Figures(
            2, dict(IoU=0.842, precision=0.837, recall=0.802, F1=0.819)
        ),
        'DocTamper-FCD': Figures(2, dict(IoU=0.750, precision=0.901, recall=0.760, F1=0.824)),
        'DocTamper-SCD': Figures(2, dict(IoU=0.685, precision=0.760, recall=0.786, F1=0.773)),
        'document': Figures(3, dict(IoU=0.748, F1=0.809)),
        'FaceShifter': Figures(4, dict(IoU=0.822, precision=0.993, recall=0.826, F1=0.902)),
        'face': Figures(3, dict(IoU=0.822, F1=0.902)),
        TOTAL: Figures(3, dict(IoU=0.723, F1=0.789)),
    },
    'Baseline': _averages(5, 0.451, 0.544, 0.509, 0.580, 0.809, 0.888, 0.589, 0.670),
    'w.o. MG': _averages(5, 0.500, 0.552, 0.609, 0.672, 0.810, 0.890, 0.639, 0.704),
    'w.o. MG*': _averages(5, 0.568, 0.632, 0.625, 0.673, 0.811, 0.889, 0.668, 0.731),
    'w.o. DWD': _averages(5, 0.477, 0.567, 0.515, 0.580, 0.815, 0.894, 0.602, 0.680),
    'w.o. DW': _averages(5, 0.562, 0.625, 0.692, 0.765, 0.820, 0.901, 0.691, 0.763),
    'w.o. AE': _averages(5, 0.547, 0.601, 0.662, 0.726, 0.819, 0.900, 0.676, 0.742),
    'ConvNeXt-Small': _averages(6, 0.588, 0.648, 0.736, 0.793, 0.821, 0.901, 0.715, 0.781),
    'ConvNeXt-Large': _averages(6, 0.605, 0.665, 0.770, 0.829, 0.836, 0.910, 0.737, 0.801),
}
"""Rows that a config can be compared with (its ``paper_row``): Tables 1 to 4, 5 and 6."""


def paper_figures(row: str | None) -> dict[str, Figures]:
    """The figures of a row by set and average, of ``None`` none; ``ValueError`` for no such row."""
    if row is None:
        return {}
    if row not in PAPER_ROWS:
        raise ValueError(f'paper_row must be one of {tuple(PAPER_ROWS)}, got {row!r}')
    return PAPER_ROWS[row]


# ---- tables ------------------------------------------------------------------------------------


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
    rows = {
        key: _set_row(key, by_protocol, (test_inputs or {}).get(key, ''), figures)
        for key, by_protocol in _by_set(metrics).items()
    }
    papers = {key: rows.pop(key) for key in PAPER_SETS if key in rows}
    tables = []
    if papers:
        title = f'paper: {paper_row}' if paper_row else 'sets of the paper'
        tables.append(Table(title, _paper_rows(papers, missing, figures)))
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
) -> Row:
    domain, name = key
    wanted = PAPER_SETS.get(key, 'per_image')
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


def _paper_rows(
    found: Mapping[Key, Row], missing: Collection[Key], figures: Mapping[str, Figures]
) -> list[Row]:
    rows: list[Row] = []
    domains: list[Row] = []
    for domain in dict.fromkeys(domain for domain, _ in PAPER_SETS):
        keys = [key for key in PAPER_SETS if key[0] == domain and key in {*found, *missing}]
        rows += [found.get(key) or _missing(key, figures) for key in keys]
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
