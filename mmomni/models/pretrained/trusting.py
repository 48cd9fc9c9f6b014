"""mmengine's own reading of checkpoints, by the rule of :mod:`.harmless`, while our tools run.

mmengine unpickles whatever it is given: ``load_from``, what ``resume`` finds, ``init_cfg``. Its
loaders are exchanged only as long as one of ours runs; other projects that import some of our
modules keep theirs.
"""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_from_local

from mmomni.utils.digests import DESCRIPTION, demand_digest

from .harmless import read_torch_file

Loader = Callable[..., Any]
PROGRAM = 'config'
"""An entry of ``meta`` that mmengine runs as Python when it resumes; a training of ours has none.
"""
_trust: ContextVar[bool | None] = ContextVar('_trust', default=None)
"""What a block around has decided, of this thread."""
_lock = threading.RLock()
_originals: dict[str, Loader] = {}
_blocks: list[object] = []
"""Of all threads: the first one exchanges the loaders, the last one brings them back."""


@contextmanager
def reading_by_trust(trust: bool = False) -> Iterator[None]:
    """Let mmengine's ``CheckpointLoader`` read only what is harmless, or all that is trusted.

    Inside of another such block the outer one decides.

    Raises:
        UnusableFileError: By the loaders, inside.
    """
    if _trust.get() is not None:
        yield
        return
    token = _trust.set(trust)
    try:
        with _exchanged_loaders():
            yield
    finally:
        _trust.reset(token)


@contextmanager
def _exchanged_loaders() -> Iterator[None]:
    block = object()
    with _lock:
        if not _blocks:
            _originals.update(CheckpointLoader._schemes)
            _register({prefix: _by_trust(loader) for prefix, loader in _originals.items()})
        _blocks.append(block)
    try:
        yield
    finally:
        with _lock:
            _blocks.remove(block)
            if not _blocks:
                _register(_originals)
                _originals.clear()


def _register(loaders: Mapping[str, Loader]) -> None:
    for prefix, loader in loaders.items():
        CheckpointLoader.register_scheme(prefix, loader, force=True)


def _by_trust(loader: Loader) -> Loader:
    if loader.__module__.startswith('mmomni.'):  # ours are safe
        return loader

    @wraps(loader)  # mmengine logs the name
    def load(filename: str, map_location: Any = None, **options: Any) -> Any:
        if (trust := _trust.get()) is None:  # of another thread, without a block
            return loader(filename, map_location, **options)
        if loader is load_from_local:
            return _read_local(filename, map_location, trust)
        with _torch_load(trust):
            return loader(filename, map_location, **options)

    return load


def _read_local(filename: str, map_location: Any, trust: bool) -> Any:
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'expected a checkpoint, found no file {path}')
    return _read(path, map_location, trust)


def _read(path: Path, map_location: Any, trust: bool) -> Any:
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
    _lock.acquire()  # another thread would take ours for the original
    original = torch.load

    def load(file: Any, map_location: Any = None, *_: Any, **__: Any) -> Any:
        host.load = original
        try:
            if isinstance(file, str | os.PathLike):
                return _read(Path(file), map_location, trust)
            with tempfile.NamedTemporaryFile(suffix='.pth') as copy:
                copy.write(file.read())
                copy.flush()
                return _read(Path(copy.name), map_location, trust)
        finally:
            host.load = load

    host.load = load
    try:
        yield
    finally:
        host.load = original
        _lock.release()
