"""mmengine's own reading of checkpoints, by the rule of :mod:`.harmless`, while our tools run.

mmengine unpickles whatever it is given: ``load_from``, what ``resume`` finds, ``init_cfg``. Its
loaders are exchanged only as long as one of ours runs; other projects that import some of our
modules keep theirs.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_from_local

from .digests import DESCRIPTION, demand_digest
from .harmless import read_torch_file

Loader = Callable[..., Any]
PROGRAM = 'config'
"""An entry of ``meta`` that mmengine runs as Python when it resumes; a training of ours has none.
"""
_is_decided: ContextVar[bool] = ContextVar('_is_decided', default=False)


@contextmanager
def reading_by_trust(trust: bool = False) -> Iterator[None]:
    """Let mmengine's ``CheckpointLoader`` read only what is harmless, or all that is trusted.

    Inside of another such block the outer one decides.

    Raises:
        UnusableFileError: By the loaders, inside.
    """
    if _is_decided.get():
        yield
        return
    before = dict(CheckpointLoader._schemes)
    token = _is_decided.set(True)
    try:
        for prefix, loader in before.items():
            CheckpointLoader.register_scheme(prefix, _by_trust(loader, trust), force=True)
        yield
    finally:
        for prefix, loader in before.items():
            CheckpointLoader.register_scheme(prefix, loader, force=True)
        _is_decided.reset(token)


def _by_trust(loader: Loader, trust: bool) -> Loader:
    if loader.__module__.startswith('mmomni.'):  # ours are safe
        return loader

    @wraps(loader)  # mmengine logs the name
    def load(filename: str, map_location: Any = None, **options: Any) -> Any:
        if loader is load_from_local:
            return _read_local(filename, map_location, trust)
        with _torch_load(trust):
            return _without_program(loader(filename, map_location, **options), trust)

    return load


def _read_local(filename: str, map_location: Any, trust: bool) -> Any:
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'expected a checkpoint, found no file {path}')
    content = _without_program(read_torch_file(path, map_location, trust), trust)
    meta = content.get('meta') if isinstance(content, dict) else None
    if isinstance(meta, dict) and DESCRIPTION in meta:
        demand_digest(path)
    return content


def _without_program(content: Any, trust: bool) -> Any:
    if not trust and isinstance(content, dict) and isinstance(content.get('meta'), dict):
        content['meta'].pop(PROGRAM, None)
    return content


@contextmanager
def _torch_load(trust: bool) -> Iterator[None]:
    """Let ``torch.load`` read by our rule: what is downloaded passes through it."""
    host: Any = torch
    original = torch.load

    def load(file: Any, map_location: Any = None, *_: Any, **__: Any) -> Any:
        host.load = original
        try:
            if isinstance(file, str | os.PathLike):
                return read_torch_file(Path(file), map_location, trust)
            with tempfile.NamedTemporaryFile(suffix='.pth') as copy:
                copy.write(file.read())
                copy.flush()
                return read_torch_file(Path(copy.name), map_location, trust)
        finally:
            host.load = load

    host.load = load
    try:
        yield
    finally:
        host.load = original
