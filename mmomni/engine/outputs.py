"""Logs and curves of a run that cannot be written: said once, and no reason to end it."""

import logging
import sys
import threading
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from mmengine.dist import get_rank
from mmengine.logging import MMLogger, print_log
from mmengine.runner import Runner
from mmengine.visualization import BaseVisBackend

WRITES = ('add_config', 'add_graph', 'add_scalar', 'add_scalars', 'close')
"""Methods of mmengine's backends that write, beside that of pictures."""
WRITER_THREAD = '_AsyncWriterThread'
"""TensorBoard's, which dies of the first error and leaves it to who writes next."""


def guard_outputs(runner: Runner, pictures: bool = True) -> None:
    """Let a run go on where its log, curves or pictures cannot be written any more.

    Each of them is named once, with the reason. What it wrote before is there; what the disk takes
    later is written again, but by TensorBoard.

    Args:
        runner: Of the run.
        pictures: Pictures, too. Not in a test, whose hooks count those that are lacking.
    """
    for backend in getattr(runner.visualizer, '_vis_backends', {}).values():
        _guard_backend(backend, (*WRITES, 'add_image') if pictures else WRITES)
    for handler in runner.logger.handlers:
        if isinstance(handler, logging.FileHandler):
            _guard_handler(handler)
    _quieten_threads()


def _guard_backend(backend: BaseVisBackend, writes: Iterable[str]) -> None:
    said: list[str] = []

    def guarded(write: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(write)
        def attempt(*args: Any, **kwargs: Any) -> Any:
            try:
                return write(*args, **kwargs)
            except Exception as error:  # noqa: BLE001  (whatever it is, the training goes on)
                if not said:
                    said.append(str(error))
                    _say(type(backend).__name__, error)
                return None

        return attempt

    for name in writes:
        if hasattr(backend, name):
            setattr(backend, name, guarded(getattr(backend, name)))


def _guard_handler(handler: logging.FileHandler) -> None:
    """In the place of a traceback on the terminal for each line of the log."""
    said: list[str] = []

    def handle_error(record: logging.LogRecord) -> None:
        if not said:
            said.append(record.getMessage())
            _say(handler.baseFilename, sys.exc_info()[1])

    handler.handleError = handle_error  # type: ignore[method-assign]


def _say(what: str, error: BaseException | None) -> None:
    print_log(
        f'{what} cannot be written any more ({type(error).__name__}: {error}); the run goes on '
        'without it',
        logger='current',
        level=logging.ERROR,
    )


def _quieten_threads() -> None:
    """The error of TensorBoard's thread is told where the next curve is written."""
    usual = threading.excepthook

    def hook(args: Any) -> None:
        if type(args.thread).__name__ != WRITER_THREAD:
            usual(args)

    if getattr(usual, '__name__', '') != hook.__name__:
        threading.excepthook = hook


def keep_traceback(text: str) -> str:
    """Write a traceback to the log file of a run, and not to the terminal.

    Ranks without a log have a file of their own beside that of the first, made here.

    Returns:
        Where it is; empty where there is no log, or no room for it.
    """
    logger = MMLogger.get_current_instance()
    log_file = getattr(logger, 'log_file', None)
    if not log_file:
        return ''
    own = [each for each in logger.handlers if isinstance(each, logging.FileHandler)]
    try:
        if own and own[0].stream is not None:
            own[0].stream.write(f'{text}\n')
            own[0].flush()
            return own[0].baseFilename
        path = f'{log_file.removesuffix(".log")}_rank{get_rank()}.log'
        with open(path, 'a', encoding='utf-8') as file:
            file.write(f'{text}\n')
    except OSError:
        return ''
    return path
