"""The report as plain text."""

from collections.abc import Iterable, Sequence

from mmomni.templates import printable

from .doctor import Diagnosis
from .kinds import KINDS
from .records import Finding
from .text import COLUMNS, TEXT_COLUMNS, row_of, verdict

SHOWN = 5
"""So many files of one kind are named."""


def render_text(diagnosis: Diagnosis) -> str:
    """A table of the sets, then the findings by kind, then the verdict."""
    parts = [_table([list(COLUMNS), *map(row_of, diagnosis.sets)]), '']
    for (level, kind), findings in diagnosis.groups().items():
        parts.append(f'{level.upper():8}{KINDS[kind].title} [{kind}]: {len(findings):,}')
        shown = SHOWN if level != 'note' else 1
        parts += [f'  {_line(finding)}' for finding in findings[:shown]]
        if len(findings) > shown:
            parts.append(f'  ... and {len(findings) - shown:,} more')
        if level != 'note':
            parts.append(f'  -> {KINDS[kind].remedy}')
    if diagnosis.findings:
        parts.append('')
    return '\n'.join([*parts, verdict(diagnosis)])


def _line(finding: Finding) -> str:
    line = f'{printable(finding.file)}: {printable(finding.message)}'
    if finding.kind.startswith(('train-test', 'duplicate', 'stem')) and finding.related:
        line += f'; {printable(finding.related[0])}'
        if len(finding.related) > 1:
            line += ', ...'
    return line


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join(_aligned(row, widths) for row in rows)


def _aligned(row: Iterable[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if number < TEXT_COLUMNS else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return '  '.join(cells).rstrip()
