"""Programs that are started, sent signals and looked after."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
# Shells that start something in the background let it ignore Ctrl+C.
FIRST = 'import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n'


@contextlib.contextmanager
def started(script, *arguments, path=()):
    """Run a script in a group of processes of its own, all of which are gone afterwards."""
    folders = [str(PACKAGE), *map(str, path), os.environ.get('PYTHONPATH', '')]
    process = subprocess.Popen(
        [sys.executable, '-c', FIRST + script, *map(str, arguments)],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, folders))),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until(holds, seconds=60):
    """Whether it does before long."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def is_alive(pid):
    """Whether there is such a process that runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f'/proc/{pid}/stat')
    return not (state.exists() and state.read_text().rpartition(')')[2].split()[0] == 'Z')
