import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys, threading
import numpy as np
from mmomni.utils.allocator import keep_freed_memory

kept = '--keep' in sys.argv and keep_freed_memory()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.empty(64 * 2**20, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def report():
    print(kept, faults(), min(faults() for _ in range(3)))

if '--thread' in sys.argv:
    thread = threading.Thread(target=report)
    thread.start()
    thread.join()
else:
    report()
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='another C library')


def run(*arguments):
    """Whether memory is kept, and pages made for 64 MiB at first and again."""
    command = [sys.executable, '-c', SCRIPT, *arguments]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return output[0] == 'True', *map(int, output[1:])


@glibc
@pytest.mark.parametrize('where', ['--main', '--thread'])
def test_pages_are_made_once(where):
    kept, first, again = run('--keep', where)
    assert kept
    assert first > 0
    assert again < first / 10


@glibc
def test_without_it_they_are_made_each_time():
    """What the function changes is still so in this C library."""
    kept, first, again = run()
    assert not kept
    assert again > first / 2


def test_other_c_libraries_are_left_as_they_are(monkeypatch):
    from mmomni.utils import allocator as memory

    monkeypatch.setattr(memory.ctypes, 'CDLL', lambda _: object())
    assert memory.keep_freed_memory() is False
