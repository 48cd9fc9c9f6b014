"""The report as one HTML file that loads nothing from anywhere."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mmomni.utils.templates import render

from .doctor import Diagnosis
from .kinds import KINDS, Kind
from .plots import area_plot, format_plot, quality_plot
from .records import Finding
from .text import COLUMNS, TEXT_COLUMNS, row_of, verdict
from .thumbnails import image_thumbnail, mask_thumbnail, upright_thumbnail

THUMBNAILS = 24
"""Of one kind at most."""
ALIKE_SHOWN = 4


class Card(NamedTuple):
    """A finding in pictures."""

    pictures: list[bytes]  # JPEGs
    name: str  # of the file and its folder
    message: str


class Section(NamedTuple):
    """The findings of one kind."""

    level: str  # of the findings, which may not be the usual one of their kind
    kind: str  # key of KINDS
    words: Kind
    findings: Sequence[Finding]  # all of them
    cards: list[Card]  # of the first, as far as there is anything to show


def render_html(diagnosis: Diagnosis) -> str:
    """The whole page; every name that comes from outside is escaped."""
    plots = (plot(diagnosis.sets) for plot in (quality_plot, area_plot, format_plot))
    return render(
        'data_report.html.jinja',
        verdict=verdict(diagnosis),
        columns=COLUMNS,
        text_columns=TEXT_COLUMNS,
        rows=[row_of(summary) for summary in diagnosis.sets],
        plots=[plot for plot in plots if plot is not None],
        sections=[
            Section(level, kind, KINDS[kind], findings, list(_cards(level, findings)))
            for (level, kind), findings in diagnosis.groups().items()
        ],
    )


def _cards(level: str, findings: Sequence[Finding]) -> Iterator[Card]:
    for finding in findings[:THUMBNAILS]:
        if level == 'note' or finding.kind.startswith(('set-', 'list-')):
            continue
        if pictures := [picture for picture in _pictures(finding) if picture is not None]:
            name = '/'.join(finding.file.replace('\\', '/').split('/')[-2:])
            yield Card(pictures, name, finding.message)


def _pictures(finding: Finding) -> list[bytes | None]:
    if finding.kind.startswith('mask-'):
        image = finding.related[0] if finding.related else None
        outlined = None if image is None else image_thumbnail(image, finding.file)
        return [outlined, mask_thumbnail(finding.file)]
    if finding.kind == 'image-rotated':
        return [image_thumbnail(finding.file, *finding.related), upright_thumbnail(finding.file)]
    if finding.kind.startswith('image-'):
        return [image_thumbnail(finding.file, *finding.related)]
    return [image_thumbnail(path) for path in (finding.file, *finding.related)[:ALIKE_SHOWN]]
