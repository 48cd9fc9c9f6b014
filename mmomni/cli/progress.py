import sys
import time

from .stopping import check


class ProgressLine:
    """Show done, total, speed and time left on stderr: on a terminal in place, else each tenth.

    Each call raises ``StopRequest`` if Ctrl+C has come and a library has swallowed it.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._start: tuple[int, float] | None = None
        self._line = label

    def __call__(self, done: int, total: int, examined: int | None = None) -> None:
        """Of those done, the speed is that of the ones ``examined``; default: of all."""
        check()
        worked = done if examined is None else examined
        # A resumed run does not begin at 0, and the first image comes with the start of workers.
        if self._start is None:
            self._start = worked, time.monotonic()
        first, since = self._start
        speed = (worked - first) / max(time.monotonic() - since, 1e-9)
        self._line = f'{self._label} {done}/{total}'
        if speed:
            minutes, seconds = divmod(round((total - done) / speed), 60)
            self._line += f', {_told(speed)}, {minutes}:{seconds:02d} left'
        if sys.stderr.isatty():
            _show_in_place(self._line, end='\n' if done == total else '')
        elif done * 10 // total > (done - 1) * 10 // total:
            print(self._line, file=sys.stderr)

    def window(self, number_of_pass: int, windows: int, number: int) -> None:
        """On a terminal, where in a large image the network is: :data:`.tiling.OnWindow`."""
        check()
        if sys.stderr.isatty():
            _show_in_place(f'{self._line}; pass {number_of_pass}, window {number} of {windows}')


def _told(speed: float) -> str:
    return f'{speed:.1f} images/s' if speed >= 1 else f'{1 / speed:.1f} s an image'


def _show_in_place(line: str, end: str = '') -> None:
    print(f'\r{line}\x1b[K', end=end, file=sys.stderr)
