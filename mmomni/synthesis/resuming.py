"""Going on with an interrupted folder of forgeries: what its bytes depend on, and what is whole."""

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL

from mmomni.utils.files import whole_lines
from mmomni.version import __version__

from .synthesizer import RENDERED, Synthesizer

HEADER, META = 'synthesis.json', 'meta.jsonl'

logger = logging.getLogger(__name__)


def mask_of(meta: dict[str, Any]) -> str | None:
    """The mask of an image, relative to the folder; ``None``: authentic."""
    return f'masks/{Path(meta["file"]).stem}.png' if meta['boxes'] else None


def header_of(make: Synthesizer) -> dict[str, Any]:
    """All that the bytes depend on."""
    options = {field.name: getattr(make, field.name) for field in fields(make)}
    del options['paths'], options['things']
    return {
        # Lists, as JSON reads them back.
        **{name: [*v] if isinstance(v, tuple) else v for name, v in options.items()},
        'donors': _fingerprint(path for pair in make.things for path in pair),
        'sources': RENDERED if make.paths is None else _fingerprint(make.paths),
        'versions': {
            'mmomni': __version__,
            'numpy': np.__version__,
            'opencv': cv2.__version__,
            'Pillow': PIL.__version__,
        },
    }


def _fingerprint(paths: Iterable[Path]) -> str:
    """The number of files, and a digest of their names and sizes."""
    lines = [f'{path.name}\t{_size_of(path)}\n' for path in paths]
    return f'{len(lines)} {sha256("".join(lines).encode()).hexdigest()}'


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a link to nothing, which cannot be read and is named as a source then
        return 0


def checked_free(out: Path) -> list[dict[str, Any]]:
    """No meta data: the folder is new or empty.

    Raises:
        FileExistsError: It holds files.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        hint = ', or resume it (--resume)' if (out / HEADER).is_file() else ''
        raise FileExistsError(
            f'expected a new or empty folder at {out}, got one that holds files; choose another '
            f'folder or remove it first{hint}'
        )
    return []


def resumed(out: Path, header: dict[str, Any], num: int) -> list[dict[str, Any]]:
    """The meta data of what is whole; cuts off what is not."""
    if not (out / HEADER).is_file():
        return checked_free(out)
    before = json.loads((out / HEADER).read_text(encoding='utf-8'))
    for name, value in header.items():
        if before.get(name) == value:
            continue
        if name == 'versions':
            logger.warning('resuming with %s a run of %s: bytes may differ', value, before[name])
            continue
        raise ValueError(
            f'cannot resume {out}: its {name} is {before.get(name)!r}, got {value!r}; give the '
            'same sources and options, or choose another folder'
        )
    metas = _whole(out)
    if len(metas) > num:
        raise ValueError(f'{out} already holds {len(metas)} images, got num {num}; give more')
    return metas


def _whole(out: Path) -> list[dict[str, Any]]:
    """Read the meta data up to the first line that is torn or whose files are missing."""
    path, metas, kept = out / META, [], 0
    for line in whole_lines(path):
        meta = json.loads(line)
        files = [f'images/{meta["file"]}', *filter(None, [mask_of(meta)])]
        if not all((out / name).is_file() for name in files):
            break
        metas.append(meta)
        kept += len(line)
    if path.exists():
        os.truncate(path, kept)
    # A later draw may give the image another suffix, and then the torn one would stay.
    for file in [*out.glob('images/*'), *out.glob('masks/*')]:
        if file.stem.isdigit() and int(file.stem) >= len(metas):
            file.unlink()
    return metas
