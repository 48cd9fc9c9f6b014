"""The process that examines: it loads the model and takes images until nobody sends any more.

Started by :class:`~mmomni.web.process.ExaminerProcess`, which it speaks with in frames over what
were its standard input and output. Whatever a hostile file makes a decoder do happens here.
"""

import json
import os
import pickle
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, Any

BUILD, ARGUMENTS, DATA = b'B', b'A', b'D'
"""Frames to the process: what to build, then of each image its name and which picture, its bytes"""
LOADED, EXAMINED, UNUSABLE, FAILED = b'L', b'E', b'U', b'F'
"""Frames from it; the last two say why."""
_HEAD = struct.Struct('>cQ')
_DEATH_OF_PARENT = 1
"""``PR_SET_PDEATHSIG`` of Linux."""

Frame = tuple[bytes, bytes]


def write_frame(stream: IO[bytes], kind: bytes, content: bytes = b'') -> None:
    """Send a kind (one byte) with its content.

    Raises:
        OSError: The other side is gone.
    """
    stream.write(_HEAD.pack(kind, len(content)))
    stream.write(content)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Frame | None:
    """The next frame, as soon as all of it is there; ``None``: the other side is gone."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, size = _HEAD.unpack(head)
    content = stream.read(size)
    return (kind, content) if len(content) == size else None


def main(parent: int) -> None:
    """Examine until the process ``parent``, which has started this one, is gone."""
    requests, answers = _own_streams()
    _end_with(parent)
    frames: SimpleQueue[Frame] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests, frames), daemon=True).start()
    try:
        examine = pickle.loads(frames.get()[1])()
    except (ValueError, OSError, ImportError) as error:
        write_frame(answers, FAILED, str(error).encode(errors='replace'))
        return
    except Exception as error:  # noqa: BLE001  (told where the person is)
        traceback.print_exc()
        write_frame(answers, FAILED, _named(error))
        return
    write_frame(answers, LOADED)
    while True:
        arguments, data = frames.get()[1], frames.get()[1]
        write_frame(answers, *_answer(examine, data, json.loads(arguments)))


def _answer(examine: Callable[..., Any], data: bytes, arguments: list[Any]) -> Frame:
    from mmomni.jpeg import ImageReadError

    try:
        content = json.dumps(examine(data, *arguments), allow_nan=False)
    except ImageReadError as error:
        return UNUSABLE, str(error).encode(errors='replace')
    except Exception as error:  # noqa: BLE001  (told where the person is)
        traceback.print_exc()
        return FAILED, _named(error)
    return EXAMINED, content.encode()


def _named(error: Exception) -> bytes:
    return f'{type(error).__name__}: {error}'.encode(errors='replace')


def _receive(requests: IO[bytes], frames: 'SimpleQueue[Frame]') -> None:
    while (frame := read_frame(requests)) is not None:
        frames.put(frame)
    os._exit(0)  # also in the middle of an image that nobody waits for


def _own_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Standard input and output for frames alone; what else is printed is for the terminal."""
    sys.stdout.flush()
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return open(requests, 'rb'), open(answers, 'wb')


def _end_with(parent: int) -> None:
    """End at once with the parent, even inside of a library that lets no thread of ours run."""
    if not sys.platform.startswith('linux'):
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DEATH_OF_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it went before it was asked for
        os._exit(0)
    # If memory runs out, this process goes first, not the server.
    with suppress(OSError), open('/proc/self/oom_score_adj', 'w') as score:
        score.write('500')
