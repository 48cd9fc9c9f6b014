"""Ctrl+C and SIGTERM."""

import contextlib
import signal
import threading

import pytest
from processes import started

from mmomni.cli import main, stopping, tools
from mmomni.cli.stopping import StopRequest, check, stoppable, until_stopped
from mmomni.utils.quiet import without_words_of_decoders

BOTH = pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in stopping.SIGNALS}
    # As in a terminal, wherever the tests run.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    stopping._noted.clear()


@pytest.fixture
def command(monkeypatch):
    """Let ``mmomni check-data`` do something else."""

    def command(run):
        monkeypatch.setattr('mmomni.inspection.check_data', lambda *_: run())
        return main(['check-data', 'x'])

    return command


@BOTH
def test_a_command_ends_in_one_line(number, command, capsys):
    assert command(lambda: signal.raise_signal(number)) == 128 + number
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('mmomni check-data: stopped; ')
    # What is still to be ended is not to print anything.
    assert signal.getsignal(number) is signal.SIG_DFL


@BOTH
def test_a_signal_that_became_another_error_is_still_a_signal(number, command, capsys):
    def run():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise RuntimeError('a worker is gone') from None

    assert command(run) == 128 + number
    assert capsys.readouterr().err.startswith('mmomni check-data: stopped')


def test_an_error_without_a_signal_is_an_error(command):
    def run():
        raise RuntimeError('a fault of ours')

    with pytest.raises(RuntimeError, match='a fault of ours'):
        command(run)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_was_swallowed_ends_the_run_at_the_next_image():
    with stoppable():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(StopRequest):
            check()
    with stoppable():
        check()  # another run has nothing to do with it


def test_results_end_with_the_signal_and_not_with_what_came_of_it():
    def results():
        yield 1
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise RuntimeError('a worker was killed') from None

    seen = []
    with stoppable(), pytest.raises(StopRequest) as stop:
        seen.extend(until_stopped(results()))
    assert stop.value.number == signal.SIGTERM


def test_results_end_with_their_own_error_without_a_signal():
    with pytest.raises(ValueError, match='invalid literal'), stoppable():
        list(until_stopped(int(text) for text in '1x'))


def test_what_is_to_be_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as `nohup` and scripts have it
    with stoppable():
        signal.raise_signal(signal.SIGINT)
        check()


def test_another_thread_sets_no_handlers():
    errors = []

    def run():
        try:
            with stoppable():
                errors.append(signal.getsignal(signal.SIGTERM))
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert errors == [signal.SIG_DFL]


@pytest.mark.parametrize(('name', 'hint'), [('train', '--resume'), ('test', ''), ('browse', '')])
def test_scripts_end_in_one_line(name, hint, monkeypatch, capsys):
    def run(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tools, 'run', run)
    assert main([name, 'a.py']) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f'mmomni {name}: stopped')
    assert hint in line


LOADING = """
import sys, time, types
from mmomni.cli import main

def survey_inputs(*_):
    print('ready', flush=True)
    while True:
        try:
            time.sleep(600)
        except BaseException:
            print('a library swallows it', flush=True)

class Stub(types.ModuleType):
    def __getattr__(self, name):
        return survey_inputs

sys.modules['mmomni.reporting'] = Stub('mmomni.reporting')
raise SystemExit(main(['predict', 'x', '--checkpoint', 'y']))
"""


@BOTH
def test_predict_ends_at_once_while_it_loads_whatever_a_library_does(number):
    with started(LOADING) as process:
        assert process.stdout.readline() == 'ready\n'
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert process.stdout.read() == ''
        assert process.stderr.read() == (
            'mmomni predict: stopped before the first image; nothing was written\n'
        )


@BOTH
def test_the_line_of_who_ends_at_once_is_seen_while_an_image_is_read(number, capfd, monkeypatch):
    """Of which no decoder is to print anything, and no end of the block comes."""
    seen = []

    def leave(status):
        seen.append((status, capfd.readouterr().err))

    monkeypatch.setattr('os._exit', leave)
    with stopping.ending_at_once('stopped'), without_words_of_decoders():
        signal.raise_signal(number)
    assert seen == [(128 + number, 'stopped\n')]
