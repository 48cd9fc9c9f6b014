"""Processes that work for this one."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

import cv2

Item = TypeVar('Item')
Result = TypeVar('Result')
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class WorkerPool(ProcessPoolExecutor):
    """See :func:`worker_pool`."""

    def __init__(
        self, workers: int, method: str, prepare: Callable[..., None] | None, arguments: tuple
    ) -> None:
        context = multiprocessing.get_context(method)
        # Not an event: setting one waits for ever where a worker that waits for it was killed.
        words, self._words = context.Pipe(duplex=False)
        super().__init__(
            workers, context, initializer=_start, initargs=(words, prepare, arguments)
        )

    def submit(self, *args: Any, **kwargs: Any) -> Future:
        """As that of the standard library, which may start processes now."""
        with _signals_held():
            return super().submit(*args, **kwargs)

    def leave(self) -> None:
        """End all processes now, whatever they are working on: nobody wants the rest."""
        self._words.send_bytes(b'leave')
        self.shutdown(cancel_futures=True)


@contextmanager
def _signals_held() -> Iterator[None]:
    """A process that is started here gets no signal before it knows what to do with one."""
    if not hasattr(signal, 'pthread_sigmask'):
        yield
        return
    # It would let the signals through again, were it started in here.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def worker_pool(
    workers: int,
    prepare: Callable[..., None] | None = None,
    arguments: tuple = (),
    method: str | None = None,
) -> WorkerPool:
    """Processes that take OpenCV's work on one thread each, and end when this process does.

    Each calls ``prepare(*arguments)`` once, before its first task; the arguments are not sent with
    each task. ``method`` says how a process starts; default: not by ``fork``, which OpenCV's
    threads, if this process has used them, do not survive. Ctrl+C is for this process, which
    leaves the pool; the others would only print where they were.
    """
    if method is None:
        methods = multiprocessing.get_all_start_methods()
        method = 'forkserver' if 'forkserver' in methods else 'spawn'
    return WorkerPool(workers, method, prepare, arguments)


def in_order(
    pool: WorkerPool, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """``work(item)`` of every item, in order; so many are worked on before they are asked for.

    Raises:
        BrokenProcessPool: A process was killed.
    """
    pending: deque[Future[Result]] = deque()
    for item in items:
        if len(pending) == ahead:
            yield pending.popleft().result()
        pending.append(pool.submit(work, item))
    while pending:
        yield pending.popleft().result()


def _start(words: Connection, prepare: Callable[..., None] | None, arguments: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # with `fork` it was that of this process
    if hasattr(signal, 'pthread_sigmask'):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    cv2.setNumThreads(0)  # the cores are busy with processes
    threading.Thread(target=_end_in_time, args=(words,), daemon=True).start()
    if prepare is not None:
        prepare(*arguments)


def _end_in_time(words: Connection) -> None:
    """End this process when nobody wants its work any more.

    Or when the one that gives it work was killed, which it would not notice.
    """
    parent = multiprocessing.parent_process()
    wait([words, *([parent.sentinel] if parent is not None else [])])
    os._exit(1)
