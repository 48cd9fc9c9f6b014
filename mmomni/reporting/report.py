"""Predictions as one HTML file that loads nothing from anywhere."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from mmomni.jpeg.orientation import upright_box
from mmomni.utils.files import replacing
from mmomni.utils.templates import data_uri, printable, render_pieces

from .account import closed_pdfs_text, copies
from .changes import kept_text
from .folder import UNFINISHED, PredictionFolder
from .image_files import shown_name
from .model_card import model_summary
from .predictions import Predictions, report_file, shown_files
from .verdict import no_verdict_text

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

    Every name that comes from outside is escaped, the page forbids itself any script but its own
    and any address but that of its folder, and no path tells where the files lay.
    """
    records = folder.records.values()
    embedded = _view_bytes(folder) * 4 / 3 <= EMBEDDED_BYTES  # base64
    names = _names(folder)
    return render_pieces(
        'predictions.html.jinja',
        analysis=analysis_of(folder),
        failures=[_failure(line) for line in folder.failures.values()],
        account='' if folder.account is None else folder.account.text(),
        hint='' if folder.account is None else closed_pdfs_text(folder.account.not_images['pdf']),
        rows=[
            _row(folder, number, record, names[key])
            for number, (key, record) in enumerate(folder.records.items())
        ],
        unread=_unread(folder),
        kept=kept_text(folder),
        files=len({record['path'] for record in records}),
        copies=_copies(folder, names),
        embedded=embedded,
        views=(
            [_embedded(folder, file) for file in shown_files(record)]
            for record in (records if embedded else ())
        ),
    )


def analysis_of(folder: Predictions) -> dict[str, Any]:
    """What held for all images: model, thresholds, when and by which versions; for JSON.

    ``words`` are those for each verdict, ``limits`` what is to be known about them, in sentences,
    ``dates`` the first and the last.
    """
    settings, limit = folder.settings, folder.image_threshold
    model = settings.get('model') or model_summary({}, ())
    records = folder.records.values()
    limits = [no_verdict_text(model['calibrations']) if limit is None else limit.caution()]
    dates = sorted(filter(None, {record.get('examined_at') for record in records}))
    return dict(
        checkpoint=printable(PurePath(settings['checkpoint']).name),
        checkpoint_sha256=printable(settings['checkpoint_sha256']),
        model=model,
        threshold=settings['threshold'],
        image_threshold=settings['image_threshold'],
        words=None if limit is None else limit.words(),
        limits=[sentence for sentence in limits if sentence],
        dates=sorted({*dates[:1], *dates[-1:]}),
        versions=sorted(filter(None, {record.get('mmomni') for record in records})),
    )


def _row(
    folder: Predictions, number: int, record: Mapping[str, Any], name: str
) -> dict[str, Any]:
    regions = record['regions'][:SHOWN_REGIONS]
    shape, orientation = (record['height'], record['width']), record['orientation']
    return dict(
        {key: record[key] for key in ROW_KEYS},
        number=number,
        name=printable(name),
        warnings=[without_path(text, record['path'], name) for text in record['warnings']],
        regions=regions,
        upright_boxes=[upright_box(region['box'], shape, orientation) for region in regions],
        examined_at=record.get('examined_at'),
        evidence=record.get('evidence') or [],
        views=record.get('views') or [],
        thumbnail=_embedded(folder, report_file('thumbnails', record['name'])),
        pictures=[quote(file) for file in shown_files(record)],
    )


def _copies(folder: Predictions, names: Mapping[str, str]) -> list[list[str]]:
    """Names of files with the same bytes; of pages and pictures in them nothing is told."""
    named = {}
    for key, record in folder.records.items():
        within = shown_name('', record.get('picture'))
        named[record['path']] = names[key].removesuffix(within)
    return [
        [printable(named[path]) for path in paths] for paths in copies(folder.records.values())
    ]


def _names(folder: Predictions) -> dict[str, str]:
    """Of each record, by its key; where several images are called the same, with their folders.

    These are told from where they part on, not from the root of the disk.
    """
    several = Counter(record['image'] for record in folder.records.values())
    paths: dict[str, list[str]] = {}
    for record in folder.records.values():
        if several[record['image']] > 1:
            paths.setdefault(record['image'], []).append(record['path'])
    names = {}
    for key, record in folder.records.items():
        alike = set(paths.get(record['image'], ()))
        if len(alike) > 1:
            path = os.path.relpath(record['path'], os.path.commonpath(alike))
            names[key] = shown_name(path, record.get('picture'))
        else:
            names[key] = record['image']
    return names


def _failure(line: Mapping[str, Any]) -> tuple[str, str]:
    """Name and reason of a bad file."""
    name = line.get('image')
    if not isinstance(name, str):  # of an earlier version
        name = PurePath(line['path']).name
    reason = line['reason'].removeprefix(f'{line["path"]}: ')
    return shown_name(name, line.get('picture')), without_path(reason, line['path'], name)


def without_path(text: str, path: str, name: str) -> str:
    """A sentence about a file as it is told to people who need not know where the file lay."""
    parent = os.path.dirname(path)
    text = text.replace(path, name)
    return text.replace(f'{parent}/', '') if os.path.isabs(path) and len(parent) > 1 else text


def _unread(folder: Predictions) -> dict[str, int]:
    """How many files have no result at all, and how many not of all their pictures."""
    failed = {line['path'] for line in folder.failures.values()}
    partly = failed & {record['path'] for record in folder.records.values()}
    return dict(none=len(failed - partly), partly=len(partly))


def _view_bytes(folder: Predictions) -> int:
    files = (file for record in folder.records.values() for file in shown_files(record))
    return sum(folder.size(file) or 0 for file in files)


def _embedded(folder: Predictions, file: str) -> str:
    """A data URI; empty where the file was removed."""
    content = folder.read(file)
    return '' if content is None else data_uri(content)
