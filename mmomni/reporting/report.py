"""Predictions as one HTML file that loads nothing from anywhere."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from mmomni.jpeg.orientation import upright_box
from mmomni.utils.files import replacing
from mmomni.utils.templates import data_uri, printable, render_pieces

from .folder import UNFINISHED, PredictionFolder
from .image_files import shown_name
from .predictions import Predictions, report_file

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
    """Write ``report.html`` of everything that the folder holds, and tell its path."""
    target = folder.root / REPORT
    with (
        replacing(target, folder.root / UNFINISHED / REPORT) as unfinished,
        unfinished.open('w', encoding='utf-8') as page,
    ):
        page.writelines(report_page(folder))
    return str(target)


def report_page(folder: Predictions) -> Iterator[str]:
    """The page in pieces: the pictures of an image are read when they are to be written.

    Every name that comes from outside is escaped, and the page forbids itself any script but its
    own and any address but that of its folder.
    """
    records = folder.records.values()
    embedded = _view_bytes(folder) * 4 / 3 <= EMBEDDED_BYTES  # base64
    return render_pieces(
        'predictions.html.jinja',
        settings=folder.settings,
        failures=[
            (shown_name(line['path'], line.get('picture')), line['reason'])
            for line in folder.failures.values()
        ],
        account='' if folder.account is None else folder.account.text(),
        rows=[_row(folder, number, record) for number, record in enumerate(records)],
        files=len({record['path'] for record in records}),
        embedded=embedded,
        views=(
            [_embedded(folder, file) for file in _view_files(record)]
            for record in (records if embedded else ())
        ),
    )


def _row(folder: Predictions, number: int, record: Mapping[str, Any]) -> dict[str, Any]:
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


def _view_bytes(folder: Predictions) -> int:
    files = (file for record in folder.records.values() for file in _view_files(record))
    return sum(folder.size(file) or 0 for file in files)


def _embedded(folder: Predictions, file: str) -> str:
    """A data URI; empty where the file was removed."""
    content = folder.read(file)
    return '' if content is None else data_uri(content)
