"""How checkpoints are written to a local disk, and what a killed run left of one."""

import logging
import os
import os.path as osp
from collections.abc import Collection
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log
from mmengine.utils import mkdir_or_exist

from mmomni.utils.files import unfinished_files, write_durably

from .resuming import NOTE

DURABLE = 'mmomni_durable'


@register_backend(DURABLE, force=True)
class DurableBackend(LocalBackend):
    """Write whole files or none, and remove nothing before it is said."""

    def __init__(self) -> None:
        self._noted: list[str] = []

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """See :func:`mmomni.utils.files.write_durably`."""
        mkdir_or_exist(osp.dirname(filepath))
        write_durably(Path(filepath), obj)

    def remove(self, filepath: str | Path) -> None:
        """Note it for :meth:`remove_noted`."""
        self._noted.append(osp.normpath(filepath))

    rmtree = remove

    def noted(self, in_use: Collection[str]) -> list[str]:
        """What is to be removed; not what is in use by now."""
        used = {osp.normpath(path) for path in in_use}
        return [path for path in dict.fromkeys(self._noted) if path not in used]

    def remove_noted(self, in_use: Collection[str]) -> None:
        """Remove it, folders (of DeepSpeed) included; what has gone already is no matter."""
        for path in self.noted(in_use):
            if osp.isdir(path):
                super().rmtree(path)
            elif osp.exists(path):
                super().remove(path)
        self._noted.clear()


def remove_unfinished(folder: Path) -> None:
    """Remove and name what runs left in a folder that were killed while they saved there."""
    for path, process in unfinished_files(folder).items():
        if not (path.name.startswith(NOTE) or '.pth.' in path.name):
            continue
        if process != os.getpid() and _lives(process):
            print_log(
                f'{path} is being written by process {process}: does another training save there? '
                'If not, remove the file',
                logger='current',
                level=logging.WARNING,
            )
        else:
            path.unlink(missing_ok=True)
            print_log(
                f'{path}: removed, it was left by a run that was killed while it saved',
                logger='current',
            )


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
