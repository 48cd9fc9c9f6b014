"""The findings as files."""

import json
import warnings
from pathlib import Path

from .doctor import Diagnosis


def write_reports(diagnosis: Diagnosis, folder: Path) -> None:
    """Write ``report.json`` and ``report.html`` (one file that needs nothing else)."""
    from .html_report import render_html

    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(diagnosis.as_dict(), indent=1)
    (folder / 'report.json').write_text(text + '\n', encoding='utf-8')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Pillow warns again of files that were reported already
        page = render_html(diagnosis)
    (folder / 'report.html').write_text(page, encoding='utf-8')
