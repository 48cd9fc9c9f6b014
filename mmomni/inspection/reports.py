"""The findings as files."""

import json
import warnings
from pathlib import Path

from .doctor import Diagnosis

FILES = frozenset(('report.json', 'report.html'))


def demand_room(folder: Path) -> None:
    """Raise ``FileExistsError`` for a folder of something else, such as images or predictions."""
    if folder.exists() and not (
        folder.is_dir() and FILES.issuperset(path.name for path in folder.iterdir())
    ):
        raise FileExistsError(
            f'expected a new or empty folder, or one of earlier reports, at {folder}, got one that '
            'holds other files; choose another with --out'
        )


def write_reports(diagnosis: Diagnosis, folder: Path) -> None:
    """Write ``report.json`` and ``report.html`` (one file that needs nothing else)."""
    from .html_report import render_html

    demand_room(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(diagnosis.as_dict(), indent=1)
    (folder / 'report.json').write_text(text + '\n', encoding='utf-8')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Pillow warns again of files that were reported already
        page = render_html(diagnosis)
    (folder / 'report.html').write_text(page, encoding='utf-8')
