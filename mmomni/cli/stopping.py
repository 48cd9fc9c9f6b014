"""Ctrl+C and SIGTERM: a command ends in one line, and whatever it writes stays whole."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn, TypeVar

from mmomni.utils.quiet import to_stderr

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Item = TypeVar('Item')
_Handler = Callable[[int, FrameType | None], object]
_noted: list[int] = []
"""The signals that have come, whether or not a library has swallowed what was raised then."""


class StopRequest(KeyboardInterrupt):
    """Ctrl+C or SIGTERM.

    Attributes:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Both signals raise :class:`StopRequest` inside; after that, the next one kills."""
    _noted.clear()
    before = _set(_raise)
    try:
        yield
    finally:
        # A thread or library that is slow to end is not to print how it was interrupted.
        _restore(dict.fromkeys(before, signal.SIG_DFL) if _noted else before)


@contextmanager
def ending_at_once(line: str) -> Iterator[None]:
    """Both signals print a line and end the process, while it has nothing to leave whole.

    Libraries that are being imported, or that load a model, swallow an exception, turn it into
    another, or print it.
    """

    def end(number: int, _: FrameType | None) -> NoReturn:
        with suppress(OSError):
            to_stderr(f'{line}\n'.encode(errors='replace'))
        os._exit(128 + number)

    before = _set(end)
    try:
        yield
    finally:
        _restore(before)


def check() -> None:
    """Stop where a signal has come and nothing came of it.

    Raises:
        StopRequest: It has.
    """
    if _noted:
        raise StopRequest(_noted[0])


def until_stopped(results: Iterable[Item]) -> Iterator[Item]:
    """What there is until a signal comes.

    Raises:
        StopRequest: It has; also where something else was raised because of it: processes that
            read files are killed by it, too.
    """
    try:
        yield from results
    except Exception:
        check()
        raise


def status_of(stop: BaseException) -> int:
    """The exit status, as shells have it for what a signal ends; 130 without one."""
    first: BaseException | None = stop
    while first is not None and not isinstance(first, StopRequest):
        first = first.__cause__
    number = first.number if isinstance(first, StopRequest) else signal.SIGINT
    return 128 + number


def _raise(number: int, _: FrameType | None) -> NoReturn:
    _noted.append(number)
    raise StopRequest(number)


def _set(handler: _Handler) -> dict[signal.Signals, object]:
    """What was there before; nothing is set where signals are another's, or to be ignored."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {number: signal.getsignal(number) for number in SIGNALS}
    # `nohup` and shells that start something in the background ask to ignore one.
    mine = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    for number in mine:
        signal.signal(number, handler)
    return dict(mine)


def _restore(handlers: dict[signal.Signals, object]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)  # type: ignore[arg-type]
