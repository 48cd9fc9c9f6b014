"""Examination in a process of its own, which can be ended: nothing else stops a decoder."""

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from werkzeug.exceptions import (
    ClientDisconnected,
    GatewayTimeout,
    InternalServerError,
    ServiceUnavailable,
)

from mmomni.jpeg import ImageReadError

from .child import (
    ARGUMENTS,
    BUILD,
    DATA,
    EXAMINED,
    LOADED,
    UNUSABLE,
    Frame,
    read_frame,
    write_frame,
)  # fmt: skip

LOAD_SECONDS = 600.0
"""In which a model must be loaded, from however slow a disk."""
POLL_SECONDS = 0.25
KILL_SECONDS = 2.0
STOPPED = 'the page was stopped, and with it this examination; start `mmomni serve` again'
ENDED = b''
"""The last frame, which no process sends: how it ended."""
_START = (
    # The folder where the server was started is no place for modules.
    'import sys; sys.path[:] = sys.argv[2:]; '
    'from mmomni.web.child import main; main(int(sys.argv[1]))'
)

logger = logging.getLogger(__name__)


class ExaminerProcess:
    """What examines an image, in another process.

    It is ended, and another one started, when an image takes too long, when nobody waits for it any
    more, or when it has died. It ends with this process, however this one ends; nothing that a file
    makes a library do reaches this one, which takes nothing but text from it.

    Args:
        build: Called in the process: loads the model and returns what examines, which is called
            with (bytes of a file, its name, which of its pictures, whether with views). Sent by
            ``pickle``.
        timeout: Seconds for one image.
    """

    def __init__(self, build: Callable[[], Callable], timeout: float) -> None:
        self.build = build
        self.timeout = timeout
        self._child: _Child | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> 'ExaminerProcess':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to load the model.

        In a thread that lives on: on Linux the process ends with the one that has started it.
        """
        with self._lock:
            if self._is_closed:
                raise ServiceUnavailable(STOPPED)
            if self._child is not None:
                self._child.end()
            self._child = _Child(pickle.dumps(self.build))

    def wait(self) -> None:
        """Return when the model is loaded.

        Raises:
            ValueError: It cannot be; the reason is that of ``build``.
        """
        self._load(self._child or self._living(), lambda: True)

    @property
    def is_loading(self) -> bool:
        """Whether an image would have to wait for the model."""
        return self._child is None or not self._child.is_loaded

    def close(self) -> None:
        """End the process; an image that is being examined is answered with an error."""
        with self._lock:
            self._is_closed = True
            if self._child is not None:
                self._child.end()

    def __call__(
        self, data: bytes, name: str, *which: int, is_wanted: Callable[[], bool] = lambda: True
    ) -> bytes:
        """Examine one image; one at a time.

        Returns:
            The answer, JSON.

        Raises:
            ImageReadError: The file cannot be used.
            GatewayTimeout: It took longer than allowed.
            ClientDisconnected: Nobody wants to know any more, says ``is_wanted``.
            InternalServerError: The process died, or it met a fault of ours.
        """
        child = self._living()
        try:
            self._load(child, is_wanted)
        except ValueError as error:
            reason = f'the model could not be loaded again: {error}'
            raise InternalServerError(reason) from error
        try:
            child.send(json.dumps([name, *which]).encode(), data, self.timeout)
            kind, content = child.receive(self.timeout, is_wanted)
        except (TimeoutError, ClientDisconnected) as error:
            self._start_anew(getattr(error, 'description', error))
            if isinstance(error, ClientDisconnected):
                raise
            raise GatewayTimeout(
                f'{name}: expected to be examined within {self.timeout:g} seconds, it takes '
                'longer; start `mmomni serve` with a higher --timeout, or use `mmomni predict`'
            ) from error
        if kind == EXAMINED:
            return content
        reason = content.decode()
        if kind == UNUSABLE:
            raise ImageReadError(reason)
        if kind == ENDED:
            if self._is_closed:
                raise ServiceUnavailable(STOPPED)
            self._start_anew(reason)
            raise InternalServerError(f'{name}: the process that examined this image {reason}')
        raise InternalServerError(f'the examination ended with {reason}')

    def _living(self) -> '_Child':
        if self._child is None or self._child.process.poll() is not None or self._is_closed:
            self.start()
        assert self._child is not None
        return self._child

    def _load(self, child: '_Child', is_wanted: Callable[[], bool]) -> None:
        """Raises ``ValueError`` if it cannot be loaded."""
        if child.was_waited_for:
            return
        try:
            kind, content = child.receive(LOAD_SECONDS, is_wanted)
        except TimeoutError as error:
            child.end()
            raise ValueError(f'it took longer than {LOAD_SECONDS:g} seconds') from error
        if kind == ENDED:
            raise ValueError(f'the process that loads the model {content.decode()}')
        if kind != LOADED:
            child.end()
            raise ValueError(content.decode())
        child.was_waited_for = True

    def _start_anew(self, reason: object) -> None:
        with suppress(ServiceUnavailable):  # which the next one is told
            self.start()
            logger.warning('an examination was ended (%s); the model is loaded again', reason)


class _Child:
    """One process.

    Attributes:
        is_loaded: Whether it has said that its model is.
        was_waited_for: Whether somebody has received that.
    """

    def __init__(self, build: bytes) -> None:
        command = [sys.executable, '-c', _START, str(os.getpid()), *sys.path]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl+C in a terminal is for this process alone, which ends the other one.
            start_new_session=True,
            creationflags=getattr(subprocess, 'CREATE_NEW_PROCESS_GROUP', 0),
        )
        self.is_loaded = False
        self.was_waited_for = False
        self._frames: SimpleQueue[Frame] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._write((BUILD, build))

    def send(self, arguments: bytes, data: bytes, timeout: float) -> None:
        """An image.

        Raises:
            TimeoutError: It does not read it, and was killed.
        """
        is_late = threading.Event()

        def give_up() -> None:
            is_late.set()
            self.process.kill()

        timer = threading.Timer(timeout, give_up)
        timer.daemon = True
        timer.start()
        try:
            self._write((ARGUMENTS, arguments), (DATA, data))
        finally:
            timer.cancel()
        if is_late.is_set():
            raise TimeoutError(f'more than {timeout:g} seconds')

    def receive(self, timeout: float, is_wanted: Callable[[], bool]) -> Frame:
        """The next frame.

        Raises:
            TimeoutError: There is none within so many seconds.
            ClientDisconnected: It is not wanted any more.
        """
        end = time.monotonic() + timeout
        while True:
            try:
                return self._frames.get(timeout=min(POLL_SECONDS, max(0, end - time.monotonic())))
            except Empty:
                if time.monotonic() >= end:
                    raise TimeoutError(f'more than {timeout:g} seconds') from None
                if not is_wanted():
                    raise ClientDisconnected('nobody waits for it any more') from None

    def end(self) -> None:
        """Kill it, whatever it does."""
        self.process.kill()
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):  # a driver may keep it for a while
            self.process.wait(KILL_SECONDS)

    def _write(self, *frames: Frame) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):  # it has ended, which its last frame tells
            for frame in frames:
                write_frame(self.process.stdin, *frame)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        try:
            with self.process.stdout as answers:
                while (frame := read_frame(answers)) is not None:
                    self.is_loaded = self.is_loaded or frame[0] == LOADED
                    self._frames.put(frame)
        except (MemoryError, OverflowError):  # of an answer without end
            self.process.kill()
        self._frames.put((ENDED, _how_it_ended(self.process.wait()).encode()))


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f'ended (exit status {status})'
    name = signal.Signals(-status).name
    memory = '; perhaps memory ran out' if -status == signal.SIGKILL else ''
    return f'was killed ({name}{memory})'
