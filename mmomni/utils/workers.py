"""Processes that work for this one."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Event

import cv2


class WorkerPool(ProcessPoolExecutor):
    """See :func:`worker_pool`."""

    def __init__(
        self, workers: int, method: str, prepare: Callable[..., None] | None, arguments: tuple
    ) -> None:
        context = multiprocessing.get_context(method)
        self._is_left = context.Event()
        super().__init__(
            workers, context, initializer=_start, initargs=(self._is_left, prepare, arguments)
        )

    def leave(self) -> None:
        """End all processes now, whatever they are working on: nobody wants the rest."""
        self._is_left.set()
        self.shutdown(cancel_futures=True)


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


def _start(is_left: Event, prepare: Callable[..., None] | None, arguments: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # with `fork` it was that of this process
    cv2.setNumThreads(0)  # the cores are busy with processes
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threading.Thread(target=_end_when_left, args=(is_left,), daemon=True).start()
    if prepare is not None:
        prepare(*arguments)


def _end_with_parent() -> None:
    """End this process when the one that gives it work was killed, which it would not notice."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _end_when_left(is_left: Event) -> None:
    is_left.wait()
    os._exit(0)
