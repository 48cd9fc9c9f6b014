"""What ended a run that was not its code: in one line, with what to do."""

import errno
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from mmomni.datasets.configured import sets_of, type_name
from mmomni.datasets.lmdb_files import DatabaseError, check_database
from mmomni.engine.resuming import choose_checkpoint, saved_by

NO_ROOM = {
    errno.ENOSPC: 'make room there',
    errno.EDQUOT: 'make room there',
    errno.EFBIG: 'no file may be larger there (see ulimit -f); take another folder',
    errno.EROFS: 'mount it to be written to, or take another folder',
}
"""Why a disk takes no more, and what to do about it."""
TORN_STREAM = re.compile(r'PytorchStreamWriter failed|inline_container.*unexpected pos')
"""What torch says where a checkpoint was not written to its end."""
TARGETS = ('target', 'filepath', 'file_path', 'filename', 'path', 'file', 'f')
"""What functions call the path that they write to, of their own and of those of the host."""
DEAD_WORKER = re.compile(
    r'DataLoader worker \(pid\(?s?\)? (?P<pid>[\d, ]+)\) '
    r'(is killed by signal: (?P<signal>[\w ]+)|exited unexpectedly)'
)
NO_SHARED = re.compile(r'unable to (write|mmap|resize|allocate).*(/torch_|shared memory)')
LOST_RANK = re.compile(
    r'Connection (closed|reset) by (remote )?peer|Broken pipe|Socket Timeout|remote process exited|'
    r'ncclRemoteError|Timed out (waiting|after)|Wait timeout|timed out in [\d.]+ms',
    re.IGNORECASE,
)
"""What gloo, NCCL and the store of torch say where another process has gone or is not heard of."""


class Fault(NamedTuple):
    """Why a run ended.

    Attributes:
        text: For people.
        is_elsewhere: It was another process that failed, which says so itself or was killed.
    """

    text: str
    is_elsewhere: bool = False


def fault_of_run(error: BaseException, cfg: Config, is_training: bool) -> Fault | None:
    """What the machine did to a run: no room, a process that was killed, a data set that was cut.

    Args:
        error: What ended it.
        cfg: Its config.
        is_training: Whether it can be resumed.

    Returns:
        ``None`` for any other error, which keeps its traceback.
    """
    chain = list(_chain(error))
    again = _go_on(cfg) if is_training else 'run it again'
    if text := _cut_database(chain):
        return Fault(f'{text}; then {again}')
    if text := _dead_worker(chain, cfg):
        return Fault(f'{text}; then {again}')
    if text := _no_room(chain, cfg.work_dir):
        return Fault(f'{text}; {again}')
    is_alone = cfg.get('launcher', 'none') == 'none'
    if not is_alone and (lost := next(filter(_is_lost_rank, chain), None)):
        reason = ' '.join(str(lost).split())[:160]
        return Fault(
            'another process of this run ended, or did not answer within env_cfg.dist_cfg.timeout '
            f'({reason}); what it or its launcher says is the reason. Mend that, then {again}',
            is_elsewhere=True,
        )
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _go_on(cfg: Config) -> str:
    try:
        last = choose_checkpoint(saved_by(cfg)).path
    except (OSError, ValueError):  # unreadable now, or none is whole: resuming says so
        last = None
    if not last:
        return 'start it again (no whole checkpoint was saved)'
    return f'go on with --resume from {last}'


# ---- disks -------------------------------------------------------------------------------------


def _no_room(chain: list[BaseException], work_dir: str) -> str:
    for error in chain:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            path = str(error.filename or _target(error) or work_dir)
            return _not_written(path, error.strerror or str(error), NO_ROOM[error.errno])
    for error in chain:
        if isinstance(error, RuntimeError) and TORN_STREAM.search(str(error)):
            path = str(_target(error) or work_dir)
            reason = 'the file system took only a part of it'
            return _not_written(path, reason, NO_ROOM[errno.ENOSPC])
    return ''


def _not_written(path: str, reason: str, remedy: str) -> str:
    folder = Path(path).absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        free = f'{shutil.disk_usage(folder).free:,} bytes are free'
    except OSError as error:
        free = f'the file system does not answer: {error}'
    return f'{path} could not be written: {reason} ({free} in {folder}); {remedy}'


def _target(error: BaseException) -> str | os.PathLike | None:
    """The path that the innermost function which knows one was writing to."""
    places: list[Mapping[str, Any]] = []
    step = error.__traceback__
    while step is not None:
        places.append(step.tb_frame.f_locals)
        step = step.tb_next
    for known in reversed(places):
        for name in TARGETS:
            value = known.get(name)
            is_path = isinstance(value, str | os.PathLike)
            if is_path and os.path.isdir(os.path.dirname(value) or '.'):
                return value
    return None


# ---- data --------------------------------------------------------------------------------------


def _cut_database(chain: list[BaseException]) -> str:
    for error in chain:
        if isinstance(error, DatabaseError):
            # Of a loader worker, its traceback is a part of the message.
            return str(error).strip().rpartition(f'{DatabaseError.__name__}: ')[2]
    return ''


def _dead_worker(chain: list[BaseException], cfg: Config) -> str:
    texts = [str(error) for error in chain]
    found = [match for text in texts if (match := DEAD_WORKER.search(text))]
    by_signal = next((match for match in found if match['signal']), None)
    if by_signal is not None and by_signal['signal'].startswith('Bus error'):
        return _bus_error(by_signal['pid'], cfg)
    if any(isinstance(error, RuntimeError) and NO_SHARED.search(str(error)) for error in chain):
        return f'shared memory (/dev/shm) is full: {_less_shared(cfg)}'
    if not found:
        return ''
    match = by_signal or found[0]
    ended = f'was ended ({match["signal"]})' if match['signal'] else 'ended unexpectedly'
    return (
        f'a process that loads data ({match["pid"]}) {ended}, usually by the system for want of '
        f'memory (dmesg tells): every one needs its own, take fewer, {_workers(cfg)}'
    )


def _bus_error(pid: str, cfg: Config) -> str:
    roots = [
        str(each['data_root'])
        for split in ('train', 'val', 'test')
        for each in sets_of(cfg, f'{split}_dataloader')
        if type_name(each) == 'DocTamperDataset' and each.get('data_root')
    ]
    for root in dict.fromkeys(roots):
        try:
            check_database(root)
        except OSError as error:
            return str(error)
    whole = f', nor an LMDB that is cut (looked at: {", ".join(roots)})' if roots else ''
    return (
        f'a process that loads data ({pid}) met a bus error. Where no file was cut or changed '
        f'while it was read{whole}, shared memory (/dev/shm) is full: {_less_shared(cfg)}'
    )


def _less_shared(cfg: Config) -> str:
    return f'give it more (docker run --shm-size=16g, or --ipc=host), or {_workers(cfg)}'


def _workers(cfg: Config) -> str:
    numbers = {
        f'{split}_dataloader.num_workers': (cfg.get(f'{split}_dataloader') or {}).get('num_workers')
        for split in ('train', 'val', 'test')
    }
    told = ' '.join(f'{key}={max(1, n // 2)}' for key, n in numbers.items() if n)
    return f'--cfg-options {told or "train_dataloader.num_workers=1"}'


# ---- processes ---------------------------------------------------------------------------------


def _is_lost_rank(error: BaseException) -> bool:
    # What comes from a loader or its workers, a server of images for instance, is no rank's.
    text = str(error)
    is_loaders = text.startswith('DataLoader ') or 'in DataLoader worker process' in text
    is_ranks = isinstance(error, RuntimeError) and not is_loaders
    return is_ranks and bool(LOST_RANK.search(text))
