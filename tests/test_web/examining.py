"""What ``ExaminerProcess`` builds in tests: no model, and every kind of misbehaviour."""

import contextlib
import os
import re
import signal
import stat
import sys
import time
from pathlib import Path


def flood(size_byte):
    """The head of a frame, its size of this byte alone, into every pipe."""
    for fd in map(int, os.listdir('/proc/self/fd')):
        with contextlib.suppress(OSError):  # gone, or a pipe for reading
            if fd > 2 and stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.write(fd, b'E' + bytes([size_byte]) * 8)
    time.sleep(600)


def examine(data, name, picture=1):
    """Does what the bytes say."""
    word, _, rest = data.partition(b' ')
    if word == b'sleep':
        Path(os.fsdecode(rest)).write_text(str(os.getpid()))
        time.sleep(600)
    if word == b'hold':  # the interpreter: no other thread runs
        Path(os.fsdecode(rest)).write_text(str(os.getpid()))
        re.match('(a+)+$', 'a' * 60 + 'b')
    if word == b'kill':
        os.kill(os.getpid(), int(rest))
    if word == b'exit':
        os._exit(int(rest))
    if word == b'stop':
        os.kill(os.getpid(), signal.SIGSTOP)
    if word == b'print':
        sys.stdout.write('words on the way\n')
        os.write(1, b'more of them')
    if word == b'flood':  # as of a process that a file has taken over
        flood(int(rest))
    if word == b'unusable':
        from mmomni.jpeg import ImageReadError

        raise ImageReadError(f'{name}: expected an image')
    if word == b'fault':
        raise RuntimeError('a fault of ours')
    return dict(name=name, picture=picture, size=len(data), pid=os.getpid())


def obedient(_=None):
    """Loads at once."""
    return examine


def refusing(_=None):
    raise ValueError('expected a checkpoint, got none')


def faulty():
    raise KeyError('a fault of ours')


def dying():
    os.kill(os.getpid(), signal.SIGKILL)


def loading_from(path):
    """Waits for a file, and fails where that says so."""
    while not os.path.exists(path):
        time.sleep(0.02)
    if reason := Path(path).read_text():
        raise ValueError(reason)
    return examine
