"""Tables of text: in a frame for logs, in columns for a terminal, in Markdown for files."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal


def framed_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    align: Literal['l', 'c', 'r'] = 'c',
    lines_after: Collection[int] = (),
) -> str:
    """A table with a frame of ``+``, ``-`` and ``|``.

    Args:
        header: Names of the columns.
        rows: Cells; all as long as the header.
        align: ``'l'``, ``'c'`` or ``'r'``: where cells are set.
        lines_after: Numbers of rows, from 0, that a line follows.
    """
    from prettytable import PrettyTable

    table = PrettyTable(header)
    table.align = align
    for number, row in enumerate(rows):
        table.add_row(list(row), divider=number in lines_after)
    return table.get_string()


def plain_table(rows: Sequence[Sequence[str]], words: int) -> str:
    """Columns two blanks apart, as wide as their longest cell.

    Args:
        rows: Cells, those of the header first.
        words: So many columns hold words; the others hold numbers and are set to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join(_aligned(row, widths, words) for row in rows)


def _aligned(row: Sequence[str], widths: Sequence[int], words: int) -> str:
    cells = [
        cell.ljust(width) if number < words else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return '  '.join(cells).rstrip()


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown, whose rows are all as long as the header."""
    return [f'| {" | ".join(row)} |' for row in (header, ['---'] * len(header), *rows)]
