"""Which checkpoint of its work dir a training goes on from: the last one that is whole."""

import logging
import os
import os.path as osp
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmomni.utils.torn_files import torn

NOTE = 'last_checkpoint'
"""The file of a work dir in which mmengine writes the path of its last checkpoint."""


class Saved(NamedTuple):
    """Where a training saves.

    Attributes:
        work_dir: Has the note of the last checkpoint.
        folder: Has the checkpoints.
        template: Their names, as in ``iter_{}.pth``.
    """

    work_dir: str
    folder: str
    template: str


class Chosen(NamedTuple):
    """What to go on from.

    Attributes:
        path: A whole checkpoint; none where there never was one.
        skipped: Those that come before it and are not whole, each with the reason.
    """

    path: str | None
    skipped: list[str]


def saved_by(cfg: Config) -> Saved:
    """Where the training of a config saves, by its ``default_hooks.checkpoint``."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    return saved_in(cfg.work_dir, hook.get('out_dir'), template_of(hook))


def saved_in(work_dir: str, out_dir: str | os.PathLike | None, template: str) -> Saved:
    """Where a ``CheckpointHook`` saves, which compares with the whole path of the work dir."""
    work_dir = osp.abspath(work_dir)
    folder = work_dir
    if out_dir is not None and out_dir != work_dir:
        folder = osp.join(out_dir, osp.basename(work_dir))
    return Saved(work_dir, folder, template)


def template_of(hook: Mapping[str, Any]) -> str:
    """Names of the checkpoints that a ``CheckpointHook`` of these arguments saves."""
    usual = 'epoch_{}.pth' if hook.get('by_epoch', True) else 'iter_{}.pth'
    return hook.get('filename_tmpl') or usual


def has_saved(saved: Saved) -> bool:
    """Whether a training has ever saved there, be it whole or not."""
    return next(_candidates(saved), None) is not None


def choose_checkpoint(saved: Saved) -> Chosen:
    """The checkpoint that the note names, or else the newest whole one of the folder.

    Raises:
        ValueError: There were checkpoints, and none is whole.
    """
    skipped: list[str] = []
    for path in _candidates(saved):
        reason = '' if '://' in path else torn(Path(path))
        if not reason:
            return Chosen(path, skipped)
        skipped.append(f'{path} {reason}')
    if skipped:
        raise ValueError(
            f'nothing to resume in {saved.work_dir}, no checkpoint is whole: {"; ".join(skipped)}. '
            f'Name another (--cfg-options load_from=FILE resume=True), or remove these and {NOTE} '
            'to start anew'
        )
    return Chosen(None, [])


def _candidates(saved: Saved) -> Iterator[str]:
    """The checkpoint of the note first, then those of the folder, the one written last first."""
    note = Path(saved.work_dir, NOTE)
    named = note.read_text().strip() if note.is_file() else ''
    if named:
        yield named
    pattern = re.compile(re.escape(saved.template).replace(re.escape('{}'), r'(\d+)'))
    folder = Path(saved.folder)
    found = [
        (path.stat().st_mtime_ns, int(match[1]), str(path))
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := pattern.fullmatch(path.name))
    ]
    yield from (path for *_, path in sorted(found, reverse=True) if not _same(path, named))


def _same(path: str, named: str) -> bool:
    return bool(named) and osp.abspath(path) == osp.abspath(named)


def demand_resumable(cfg: Config) -> None:
    """Before anything is built: whether what a config with ``resume = True`` goes on from is whole.

    Raises:
        ValueError: There were checkpoints, and none is whole.
    """
    if cfg.get('resume') and cfg.get('load_from') is None:
        choose_checkpoint(saved_by(cfg))


def resume_whole(runner: Runner, saved: Saved) -> None:
    """Have a runner that is to resume by itself go on from :func:`choose_checkpoint`.

    mmengine would take what its note says, whether it exists or not. The first rank looks, as on
    network storage others may see the folder of a moment ago. Once decided, it stays so: a second
    call does nothing.

    Raises:
        ValueError: There were checkpoints, and none is whole.
    """
    if not runner._resume or runner._load_from is not None:
        return
    answer: list[Any] = [None]
    if is_main_process():
        try:
            answer = [choose_checkpoint(saved)]
        except ValueError as error:
            answer = [error]
    broadcast_object_list(answer)
    if isinstance(answer[0], ValueError):
        raise answer[0]
    path, skipped = answer[0]
    for line in skipped:
        print_log(f'{line}: skipped', logger='current', level=logging.WARNING)
    if path is None:
        line = f'nothing to resume in {saved.work_dir}: the training starts anew'
        runner._resume = False
    else:
        line = f'going on from {path}'
        runner._load_from = path
    print_log(line, logger='current')
