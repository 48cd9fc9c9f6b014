"""Files of a results folder that have a line of JSON for each image."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmomni.utils.files import whole_lines

from .record import LATER_KEYS, has_form


def read_lines(path: Path, keys: dict[str, Any]) -> list[dict[str, Any]]:
    """All lines but one that a killed process left torn; each has the keys, in these forms."""
    try:
        whole = _loaded(whole_lines(path))
    except ValueError as error:
        raise ValueError(
            f'{path}: expected a line of JSON for each image, got {error}; mend or remove the file'
        ) from error
    for number, line in enumerate(whole, 1):
        for key, form in (keys | LATER_KEYS).items():
            is_absent = key in LATER_KEYS and isinstance(line, dict) and line.get(key) is None
            if not (is_absent or has_form(line, {key: form})):
                raise ValueError(
                    f'{path}, line {number}: expected {key!r} as `mmomni predict` writes it, got '
                    f'{ascii(line)[:200]}; remove the line, or choose another folder with --out'
                )
    return whole


def _loaded(lines: Iterable[bytes]) -> list[Any]:
    """Texts that occur again, as most of the evidence does, once in memory: two thirds of it."""
    known: dict[str, str] = {}

    def shared(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {
            known.setdefault(key, key): known.setdefault(value, value)
            if isinstance(value, str) else value
            for key, value in pairs
        }  # fmt: skip

    return [json.loads(line, object_pairs_hook=shared) for line in lines]


def json_line(content: Mapping[str, Any]) -> str:
    """A line of a file that many lines are appended to."""
    # ASCII: a file name may hold what is no text, or ends a line.
    return json.dumps(content, allow_nan=False) + '\n'
