"""Whose results a folder holds: one writer at a time, one choice of options."""

import fcntl
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmomni.version import __version__

SETTINGS = 'settings.json'
NOT_COMPARED = ('checkpoint', 'model')  # its path and card; its SHA-256 is
OPTIONS = {
    'image_threshold': ' (--fpr, --domain, --calibration)', 'views': ' (--views)',
    'window': ' (--window)', 'formats': ' (--format)',
}  # fmt: skip
"""Those whose name says not at once what was typed."""

logger = logging.getLogger(__name__)


def locked(root: Path) -> int:
    """A lock that ends with the process, however it ends.

    Raises:
        OSError: Another process has it.
    """
    lock = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise OSError(
            f'another process is writing to {root}; wait for it, or choose another folder with '
            '--out'
        ) from error
    return lock


def settings_text(settings: Mapping[str, Any]) -> str:
    """What ``settings.json`` holds."""
    return f'{json.dumps(dict(settings, mmomni=__version__), indent=2, allow_nan=False)}\n'


def settings_before(root: Path) -> dict[str, Any]:
    """The settings of the run that made a folder.

    Raises:
        ValueError: Its file holds something else.
    """
    path = root / SETTINGS
    try:
        before = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(
            f'{path}: expected the settings of an earlier run, got no JSON ({error}); choose '
            'another folder with --out'
        ) from error
    if not isinstance(before, dict):
        raise ValueError(f'{path}: expected the settings of an earlier run, got {before!r}')
    return before


def refuse_other_settings(
    root: Path, before: Mapping[str, Any], settings: Mapping[str, Any]
) -> None:
    """Raise ``ValueError`` where results would be mixed with those of other settings."""
    if (version := before.get('mmomni')) != __version__:
        logger.warning('going on with %s with a run of %s', __version__, version)
    for name, value in json.loads(json.dumps(settings)).items():
        if name not in NOT_COMPARED and before.get(name) != value:
            raise ValueError(
                f'{root} holds results with {name} {_told(before.get(name))}, got {_told(value)}; '
                f'give the same options{OPTIONS.get(name, "")}, or choose another folder with --out'
            )


def _told(value: Any) -> str:
    """As people read it: of several entries each with its name."""
    if not isinstance(value, Mapping):
        return repr(value)
    return f'({", ".join(f"{name} {entry!r}" for name, entry in value.items())})'
