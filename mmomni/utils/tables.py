"""Tables of text: in a frame for logs, in columns for a terminal, in Markdown for files."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal


def framed_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    align: Literal['l', 'c', 'r'] = 'c',
    lines_after: Collection[int] = (),
) -> str:
    """A table with a frame of ``+``, ``-`` and ``|``, whose rows are all as long as the header.

    Cells are set to the left, centre or right; a line follows the rows ``lines_after``, from 0.
    """
    from prettytable import PrettyTable

    table = PrettyTable(header)
    table.align = align
    for number, row in enumerate(rows):
        table.add_row(list(row), divider=number in lines_after)
    return table.get_string()


def plain_table(rows: Sequence[Sequence[str]], words: int) -> str:
    """Columns two blanks apart, as wide as their longest cell; the header is the first row.

    The first ``words`` columns hold words; the others hold numbers and are set to the right.
    """
    columns = []
    for number, column in enumerate(zip(*rows, strict=True)):
        width = max(map(len, column))
        columns.append([c.ljust(width) if number < words else c.rjust(width) for c in column])
    return '\n'.join('  '.join(row).rstrip() for row in zip(*columns, strict=True))


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown, whose rows are all as long as the header."""
    return [f'| {" | ".join(row)} |' for row in (header, ['---'] * len(header), *rows)]
