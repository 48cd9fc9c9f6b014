"""Pools of processes, and how they are left."""

import multiprocessing
import os
import signal

import pytest
from processes import is_alive, started, wait_until

WORKING = """
import os, sys, time
from pathlib import Path
from mmomni.utils.workers import worker_pool

def work(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(600)

if __name__ == '__main__':
    pool = worker_pool(2, method=sys.argv[2] if len(sys.argv) > 2 else None)
    try:
        tasks = [pool.submit(work, sys.argv[1]) for _ in range(8)]
        tasks[0].result()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        pool.leave()
"""


@pytest.mark.parametrize('killed_first', [False, True])
@pytest.mark.parametrize('method', multiprocessing.get_all_start_methods())
def test_ctrl_c_ends_all_at_once_and_prints_nothing(method, killed_first, tmp_path):
    program, folder = tmp_path / 'program.py', tmp_path / 'pids'
    program.write_text(WORKING)
    folder.mkdir()
    run = 'import sys, runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="{}")'
    if method == 'fork':
        script = run.format('__main__')
    else:  # these import the program again, by its path
        script = 'import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])'
    with started(script, program, folder, method) as parent:
        assert wait_until(lambda: len(os.listdir(folder)) == 2)
        pids = [int(name) for name in os.listdir(folder)]
        if killed_first:
            os.kill(pids[1], signal.SIGSTOP)  # it does not end by itself
        os.killpg(parent.pid, signal.SIGINT)
        if killed_first:
            os.kill(pids[1], signal.SIGKILL)
        assert parent.wait(60) == 130
        assert wait_until(lambda: not any(map(is_alive, pids)))
        assert parent.stderr.read() == ''
