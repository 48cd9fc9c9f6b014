import io

import pytest

from mmomni.cli import progress
from mmomni.cli.parser import RATE
from mmomni.cli.progress import ProgressLine
from mmomni.cli.stopping import StopRequest


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_one_line_says_where_in_a_large_image_it_is(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr('sys.stderr', terminal)
    count = ProgressLine('predict')
    count(0, 2)
    count.window(1, 12, 3)
    count.window(2, 12, 1)
    shown = terminal.getvalue().split('\r')
    assert shown[-2:] == [
        'predict 0/2; pass 1, window 3 of 12\x1b[K', 'predict 0/2; pass 2, window 1 of 12\x1b[K'
    ]  # fmt: skip
    count(1, 2)
    count.window(1, 4, 1)
    assert terminal.getvalue().split('\r')[-1].startswith('predict 1/2, ')
    assert '\n' not in terminal.getvalue()
    count(2, 2)
    assert terminal.getvalue().endswith('\n')


def test_elsewhere_only_tenths_are_told(capsys):
    count = ProgressLine('predict')
    for done in range(31):
        count(done, 30)
        count.window(1, 12, 3)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(',')[0] for line in lines] == [
        f'predict {done}/30' for done in range(0, 31, 3)
    ]


@pytest.mark.parametrize(
    ('seconds', 'told'),
    [
        (2, 'predict 2/10, 1.0 images/s, 0:08 left'),
        (64, 'predict 2/10, 32.0 s an image, 4:16 left'),
    ],
)
def test_slow_images_are_told_in_seconds_each(seconds, told, monkeypatch, capsys):
    times = iter([0.0, 0.0, float(seconds)])
    monkeypatch.setattr(progress.time, 'monotonic', lambda: next(times))
    line = ProgressLine('predict')
    line(0, 10)
    line(2, 10)
    assert capsys.readouterr().err.splitlines()[-1] == told


def test_files_that_cost_nothing_do_not_count_as_speed(monkeypatch, capsys):
    """Missing and broken ones, of which there may be any number."""
    times = iter([0.0, 0.0, 0.001, 4.0])
    monkeypatch.setattr(progress.time, 'monotonic', lambda: next(times))
    line = ProgressLine('predict')
    line(0, 10, 0)
    line(6, 10, 0)
    line(8, 10, 2)
    assert capsys.readouterr().err.splitlines()[1:] == [
        'predict 6/10', 'predict 8/10, 2.0 s an image, 0:04 left'
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('text', 'rate'), [('0.05', 0.05), ('5%', 0.05), ('.1%', 0.001), ('0.7%', 0.007)]
)
def test_rates_are_numbers_or_percent(text, rate):
    assert RATE(text) == rate


def test_a_stop_that_a_library_has_swallowed_ends_it_between_windows(monkeypatch):
    def check():
        raise StopRequest(2)

    line = ProgressLine('predict')
    monkeypatch.setattr(progress, 'check', check)
    with pytest.raises(StopRequest):
        line.window(1, 12, 3)
