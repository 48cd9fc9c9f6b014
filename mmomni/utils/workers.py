"""Processes that work for this one."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import cv2


def worker_pool(
    workers: int,
    prepare: Callable[..., None] | None = None,
    arguments: tuple = (),
    method: str | None = None,
) -> ProcessPoolExecutor:
    """Processes that take OpenCV's work on one thread each, and end when this process does.

    Each calls ``prepare(*arguments)`` once, before its first task; the arguments are not sent with
    each task. ``method`` says how a process starts; default: not by ``fork``, which OpenCV's
    threads, if this process has used them, do not survive.
    """
    if method is None:
        methods = multiprocessing.get_all_start_methods()
        method = 'forkserver' if 'forkserver' in methods else 'spawn'
    context = multiprocessing.get_context(method)
    return ProcessPoolExecutor(workers, context, initializer=_start, initargs=(prepare, arguments))


def _start(prepare: Callable[..., None] | None, arguments: tuple) -> None:
    cv2.setNumThreads(0)  # the cores are busy with processes
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare(*arguments)


def _end_with_parent() -> None:
    """End this process when the one that gives it work was killed, which it would not notice."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
