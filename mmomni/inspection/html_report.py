"""The report as one HTML file that loads nothing from anywhere."""

from collections.abc import Iterable, Sequence
from html import escape

from mmomni.html import STYLE as SHARED_STYLE
from mmomni.html import printable

from .doctor import Diagnosis
from .kinds import KINDS
from .plots import area_plot, format_plot, quality_plot
from .records import Finding
from .text import COLUMNS, TEXT_COLUMNS, row_of, verdict
from .thumbnails import image_thumbnail, mask_thumbnail, upright_thumbnail

THUMBNAILS = 24
"""Of one kind at most."""
LISTED = 500
"""Files of one kind at most; ``report.json`` has all."""
ALIKE_SHOWN = 4

STYLE = SHARED_STYLE + """
.plots { display: flex; flex-wrap: wrap; gap: 1rem; } .plots svg { max-width: 100%; height: auto; }
section { border-left: 4px solid #bbb; padding: .1rem 0 .1rem 1rem; margin: 1.2rem 0; }
section.error { border-color: #c22; } section.warning { border-color: #e90; }
section h3 { margin: .2rem 0; font-size: 1rem; } section p { margin: .2rem 0 .6rem; color: #555; }
.level { text-transform: uppercase; font-size: .75rem; letter-spacing: .05em; color: #777; }
.error .level { color: #c22; } .warning .level { color: #a60; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin-bottom: .6rem; }
figure { margin: 0; padding: .4rem; background: #f5f5f5; border-radius: 4px; max-width: 44rem; }
figure div { display: flex; flex-wrap: wrap; gap: .4rem; align-items: flex-start; }
figure img { display: block; border: 1px solid #ccc; }
figcaption { font-size: .78rem; overflow-wrap: anywhere; max-width: 22rem; margin-top: .3rem; }
"""


def render_html(diagnosis: Diagnosis) -> str:
    """The whole page; every name that comes from outside is escaped."""
    plots = (plot(diagnosis.sets) for plot in (quality_plot, area_plot, format_plot))
    groups = diagnosis.groups().items()
    found = ''.join(_section(level, kind, findings) for (level, kind), findings in groups)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<title>Data report</title><style>{STYLE}</style></head><body>\n'
        f'<h1>Data report</h1><p>{escape(verdict(diagnosis))}.</p>\n'
        f'{_table(map(row_of, diagnosis.sets))}\n'
        f'<div class="plots">{"".join(filter(None, plots))}</div>\n'
        f'<h2>Findings</h2>\n{found or "<p>None.</p>"}\n</body></html>\n'
    )


def _table(rows: Iterable[Sequence[str]]) -> str:
    head = _row('th', COLUMNS)
    body = ''.join(_row('td', row) for row in rows)
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _row(tag: str, cells: Iterable[str]) -> str:
    written = (
        f'<{tag}{" class=word" if number < TEXT_COLUMNS else ""}>{escape(cell)}</{tag}>'
        for number, cell in enumerate(cells)
    )
    return f'<tr>{"".join(written)}</tr>\n'


def _section(level: str, kind: str, findings: Sequence[Finding]) -> str:
    cards = ''.join(filter(None, map(_card, findings[:THUMBNAILS]))) if level != 'note' else ''
    files = ''.join(f'<li>{_description(finding)}</li>\n' for finding in findings[:LISTED])
    if len(findings) > LISTED:
        files += f'<li>and {len(findings) - LISTED:,} more, all of them in report.json</li>'
    opened = ' open' if level != 'note' and len(findings) <= 10 else ''
    return (
        f'<section class="{level}"><h3><span class="level">{level}</span> '
        f'{escape(KINDS[kind].title)}: {len(findings):,} <code>{kind}</code></h3>\n'
        f'<p>{escape(KINDS[kind].remedy)}</p>\n<div class="cards">{cards}</div>\n'
        f'<details class="files"{opened}><summary>files</summary><ul>{files}</ul></details>'
        '</section>\n'
    )


def _card(finding: Finding) -> str:
    """Pictures of a finding with its file name; empty where nothing can be shown."""
    if finding.kind.startswith(('set-', 'list-')):
        return ''
    pictures = ''.join(
        f'<img src="{source}" alt="">' for source in _pictures(finding) if source is not None
    )
    if not pictures:
        return ''
    name = printable('/'.join(finding.file.replace('\\', '/').split('/')[-2:]))
    caption = f'{escape(name)}<br>{escape(printable(finding.message))}'
    return f'<figure><div>{pictures}</div><figcaption>{caption}</figcaption></figure>\n'


def _pictures(finding: Finding) -> list[str | None]:
    if finding.kind.startswith('mask-'):
        image = finding.related[0] if finding.related else None
        outlined = None if image is None else image_thumbnail(image, finding.file)
        return [outlined, mask_thumbnail(finding.file)]
    if finding.kind == 'image-rotated':
        return [image_thumbnail(finding.file, *finding.related), upright_thumbnail(finding.file)]
    if finding.kind.startswith('image-'):
        return [image_thumbnail(finding.file, *finding.related)]
    return [image_thumbnail(path) for path in (finding.file, *finding.related)[:ALIKE_SHOWN]]


def _description(finding: Finding) -> str:
    text = (
        f'{escape(printable(finding.dataset))} ({escape(finding.split)}): '
        f'<b>{escape(printable(finding.file))}</b>: {escape(printable(finding.message))}'
    )
    others = ', '.join(escape(printable(path)) for path in finding.related[:20])
    more = f' and {len(finding.related) - 20:,} more' if len(finding.related) > 20 else ''
    return f'{text}<br>with {others}{more}' if others else text
