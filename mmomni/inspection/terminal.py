"""The report as plain text."""

from mmomni.utils.tables import plain_table
from mmomni.utils.templates import printable

from .doctor import Diagnosis
from .kinds import KINDS
from .records import Finding
from .text import COLUMNS, TEXT_COLUMNS, row_of, verdict

SHOWN = 5
"""So many files of one kind are named."""


def render_text(diagnosis: Diagnosis) -> str:
    """A table of the sets, then the findings by kind, then the verdict."""
    parts = [plain_table([COLUMNS, *map(row_of, diagnosis.sets)], TEXT_COLUMNS), '']
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
