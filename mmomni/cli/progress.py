import sys
import time
from collections.abc import Callable

from .stopping import check


def counter(label: str) -> Callable[[int, int], None]:
    """Show done, total, speed and time left on stderr: on a terminal in place, else each tenth.

    Raises, when it is called, ``StopRequest`` if Ctrl+C has come and a library has swallowed it.
    """
    start: list[tuple[int, float]] = []

    def show(done: int, total: int) -> None:
        check()
        # A resumed run does not begin at 0, and the first image comes with the start of workers.
        if not start:
            start.append((done, time.monotonic()))
        speed = (done - start[0][0]) / max(time.monotonic() - start[0][1], 1e-9)
        line = f'{label} {done}/{total}'
        if speed:
            minutes, seconds = divmod(round((total - done) / speed), 60)
            line += f', {speed:.1f} images/s, {minutes}:{seconds:02d} left'
        if sys.stderr.isatty():
            print(f'\r{line}\x1b[K', end='\n' if done == total else '', file=sys.stderr)
        elif done * 10 // total > (done - 1) * 10 // total:
            print(line, file=sys.stderr)

    return show
