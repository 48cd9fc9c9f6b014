"""The folder as one HTML file that loads nothing from anywhere."""

import base64
import json
import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, TextIO
from urllib.parse import quote

from mmomni.html import STYLE, data_uri, printable
from mmomni.jpeg.orientation import upright_box

from .folder import UNFINISHED, PredictionFolder, report_file

REPORT = 'report.html'
EMBEDDED_BYTES = 60_000_000
"""The page holds the pictures of its full views up to this size; beyond it, it links to them."""
SHOWN_REGIONS = 50
"""Of one image, the largest."""
ROW_KEYS = (
    'sha256', 'score', 'pooling', 'verdict', 'tampered_share', 'num_regions',
    'gate', 'dct_source', 'width', 'height', 'orientation', 'windows', 'seconds', 'warnings',
    'files',
)  # fmt: skip


def write_report(folder: PredictionFolder) -> str:
    """Write ``report.html`` of everything that the folder holds.

    Every name that comes from outside is escaped, and the page forbids itself any script but its
    own and any address but the folder's.

    Returns:
        Its path.
    """
    embedded = _view_bytes(folder) * 4 / 3 <= EMBEDDED_BYTES  # base64
    target = folder.root / REPORT
    unfinished = folder.root / UNFINISHED / REPORT
    with open(unfinished, 'w', encoding='utf-8') as page:
        _write_page(page, folder, embedded)
    os.replace(unfinished, target)
    return str(target)


def _write_page(page: TextIO, folder: PredictionFolder, embedded: bool) -> None:
    rows = [_row(folder, number, line) for number, line in enumerate(folder.records.values())]
    style, script = STYLE + _asset('report.css'), _asset('report.js')
    page.write(
        Template(_asset('report.html')).substitute(
            style=style,
            style_hash=_hash(style),
            script_hash=_hash(script),
            headline=_headline(folder),
            settings=_settings(folder.settings),
            failures=_failures(folder.failures),
            pictures_note=_pictures_note(embedded),
            data=_json(dict(rows=rows, verdicts=folder.image_threshold is not None)),
        )
    )
    if embedded:
        for number, record in enumerate(folder.records.values()):
            view = [_embedded(folder, path) for path in _view_files(record)]
            name = f'view-{number}'
            page.write(f'<script type="application/json" id="{name}">{_json(view)}</script>\n')
    page.write(f'<script>{script}</script>\n</body>\n</html>\n')


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding='utf-8')


def _hash(text: str) -> str:
    """As a content security policy names what it allows."""
    return 'sha256-' + base64.b64encode(sha256(text.encode()).digest()).decode()


def _json(content: Any) -> str:
    """JSON that ends no script element and is no markup, whatever it says."""
    text = json.dumps(content, allow_nan=False, separators=(',', ':'))
    return text.replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026')


# ---- words ----------------------------------------------------------------------------------


def _headline(folder: PredictionFolder) -> str:
    verdicts = [record['verdict'] for record in folder.records.values()]
    words = f'{len(verdicts):,} image{"" if len(verdicts) == 1 else "s"}'
    if folder.image_threshold is not None:
        words += f', {verdicts.count("tampered"):,} called tampered'
    if folder.failures:
        words += f', {len(folder.failures):,} could not be read'
    return words


def _settings(settings: Mapping[str, Any]) -> str:
    limit = settings['image_threshold']
    words = {
        'checkpoint': f'{settings["checkpoint"]} (SHA-256 {settings["checkpoint_sha256"]})',
        'a pixel is called tampered': f'above a probability of {settings["threshold"]:g}',
        'an image is called tampered': 'never: no calibrated threshold was given'
        if limit is None
        else f'above a score ({limit["pooling"]}) of {limit["value"]:.6g}, calibrated for '
        f'{limit["fpr"]:.2%} of false alarms',
    }
    return ''.join(f'<dt>{name}</dt><dd>{_text(value)}</dd>\n' for name, value in words.items())


def _failures(failures: Mapping[str, str]) -> str:
    if not failures:
        return ''
    items = ''.join(
        f'<li><b>{_text(path)}</b>: {_text(reason.removeprefix(f"{path}: "))}</li>\n'
        for path, reason in failures.items()
    )
    opened = ' open' if len(failures) <= 10 else ''
    return (
        f'<details class="bad files"{opened}><summary>{len(failures):,} bad file'
        f'{"" if len(failures) == 1 else "s"}</summary><ul>\n{items}</ul></details>'
    )


def _text(foreign: str) -> str:
    return escape(printable(foreign))


def _pictures_note(embedded: bool) -> str:
    if embedded:
        return 'All pictures are inside this file.'
    return (
        'The pictures of the full views would be too large for one file: they lie in the folder '
        'report_files, which must stay beside this one.'
    )


# ---- rows and pictures ----------------------------------------------------------------------


def _row(folder: PredictionFolder, number: int, record: Mapping[str, Any]) -> dict[str, Any]:
    regions = record['regions'][:SHOWN_REGIONS]
    shape, orientation = (record['height'], record['width']), record['orientation']
    return dict(
        {key: record[key] for key in ROW_KEYS},
        number=number,
        name=printable(record['image']),
        path=printable(record['path']),
        regions=regions,
        upright_boxes=[upright_box(region['box'], shape, orientation) for region in regions],
        thumbnail=_embedded(folder, report_file('thumbnails', record['name'])),
        pictures=[quote(file) for file in _view_files(record)],
    )


def _view_files(record: Mapping[str, Any]) -> Iterator[str]:
    for kind in ('images', 'heat_maps'):
        yield report_file(kind, record['name'])


def _view_bytes(folder: PredictionFolder) -> int:
    paths = (folder.root / file for line in folder.records.values() for file in _view_files(line))
    return sum(path.stat().st_size for path in paths if path.is_file())


def _embedded(folder: PredictionFolder, file: str) -> str:
    """A data URI; empty where the file was removed."""
    path = folder.root / file
    return data_uri(path.read_bytes()) if path.is_file() else ''
