"""Words shared by the terminal and the HTML report."""

from mmomni.utils.templates import printable
from mmomni.utils.text import counted

from .doctor import Diagnosis
from .summary import SetSummary

COLUMNS = (
    'set', 'domain', 'split', 'images', 'tampered', 'authentic', 'unreadable', 'not JPEG',
    'JPEG quality', 'steps > 63', 'median area',
)  # fmt: skip
TEXT_COLUMNS = 3
"""So many columns are words; the others are numbers, set to the right."""


def row_of(summary: SetSummary) -> list[str]:
    """The cells of :data:`COLUMNS`."""
    share = summary.non_jpeg_share
    numbers = (summary.images, summary.tampered, summary.authentic, summary.unreadable)
    return [
        printable(summary.name), printable(summary.domain), summary.split,
        *(f'{number:,}' for number in numbers),
        '-' if share is None else f'{share:.0%}',
        _quality(summary),
        f'{summary.large_steps:,}',
        '-' if summary.median_area is None else f'{summary.median_area:.1%}',
    ]  # fmt: skip


def verdict(diagnosis: Diagnosis) -> str:
    """One line: what was looked at and how much was found."""
    images = sum(row.images for row in diagnosis.sets)
    counts = ', '.join(
        counted(diagnosis.count(level), level) for level in ('error', 'warning', 'note')
    )
    return f'{counted(images, "image")} in {counted(len(diagnosis.sets), "set")}: {counts}'


def _quality(summary: SetSummary) -> str:
    """Lowest to highest, and the share of tables without a quality."""
    if not summary.jpegs:
        return '-'
    words = []
    if summary.jpeg_quality:
        low, high = min(summary.jpeg_quality), max(summary.jpeg_quality)
        words.append(str(low) if low == high else f'{low} to {high}')
    if summary.non_standard:
        words.append(f'{summary.non_standard / summary.jpegs:.0%} other')
    return ', '.join(words)
