"""The process that examines, and how it is ended."""

import json
import os
import signal
import sys
import threading
from functools import partial

import examining
import pytest
from processes import is_alive, started, wait_until
from werkzeug.exceptions import (
    ClientDisconnected,
    GatewayTimeout,
    InternalServerError,
    ServiceUnavailable,
)

from mmomni.jpeg import ImageReadError
from mmomni.web import ExaminerProcess
from mmomni.web import process as process_module

LONG = 120


@pytest.fixture
def process():
    with ExaminerProcess(examining.obedient, LONG) as process:
        yield process


def ask(process, data=b'good', *arguments, **options):
    return json.loads(process(data, 'a.jpg', *arguments, **options))


def test_images_one_after_the_other(process, capfd):
    process.start()
    assert process.is_loading or process.wait() is None
    process.wait()
    assert not process.is_loading
    first = ask(process)
    assert first == dict(name='a.jpg', picture=1, size=4, pid=first['pid'])
    assert first['pid'] != os.getpid()
    large = ask(process, b'x' * 5_000_000, 7)
    assert (large['size'], large['picture'], large['pid']) == (5_000_000, 7, first['pid'])
    with pytest.raises(ImageReadError, match=r'^a\.jpg: expected an image$'):
        ask(process, b'unusable')
    with pytest.raises(InternalServerError, match='RuntimeError: a fault of ours'):
        ask(process, b'fault')
    assert ask(process, b'print')['pid'] == first['pid']
    printed = capfd.readouterr()
    assert 'words on the way' in printed.err
    assert 'more of them' in printed.err
    assert printed.out == ''


@pytest.mark.parametrize('word', [b'sleep', b'hold'])
def test_an_image_that_takes_too_long_is_given_up(word, process, tmp_path):
    process.wait()
    process.timeout = 1
    with pytest.raises(GatewayTimeout, match=r'a\.jpg: .* within 1 seconds.*--timeout'):
        ask(process, word + b' ' + os.fsencode(tmp_path / 'pid'))
    assert not is_alive(int((tmp_path / 'pid').read_text()))
    process.timeout = LONG
    assert ask(process)['name'] == 'a.jpg'


@pytest.mark.skipif(not hasattr(signal, 'SIGSTOP'), reason='needs signals')
def test_a_process_that_does_not_read_is_ended(process):
    process.wait()
    os.kill(ask(process)['pid'], signal.SIGSTOP)
    process.timeout = 1
    with pytest.raises(GatewayTimeout):
        ask(process, b'x' * 5_000_000)


def test_an_image_that_nobody_waits_for_is_given_up(process, tmp_path):
    process.wait()
    path = tmp_path / 'pid'
    with pytest.raises(ClientDisconnected):
        ask(process, b'sleep ' + os.fsencode(path), is_wanted=lambda: not path.exists())
    assert not is_alive(int(path.read_text()))
    assert ask(process)['name'] == 'a.jpg'


@pytest.mark.parametrize(
    ('end', 'how'),
    [(b'kill 9', 'SIGKILL; perhaps memory'), (b'kill 11', 'SIGSEGV'), (b'exit 3', 'status 3')],
)
def test_a_process_that_dies_is_told_and_the_next_image_is_examined(process, end, how):
    with pytest.raises(InternalServerError, match=rf'a\.jpg: .*{how}'):
        ask(process, end)
    assert ask(process)['name'] == 'a.jpg'


@pytest.mark.skipif(sys.platform != 'linux', reason='finds the pipe in /proc')
@pytest.mark.parametrize('byte', [b'127', b'255'])
def test_an_answer_that_claims_more_than_there_is_memory_ends_the_process(process, byte):
    with pytest.raises(InternalServerError, match=r'a\.jpg: .*SIGKILL'):
        ask(process, b'flood ' + byte)
    assert ask(process)['name'] == 'a.jpg'


def test_a_process_that_died_while_it_had_nothing_to_do_is_replaced(process):
    pid = ask(process)['pid']
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(pid))
    assert wait_until(lambda: process._child.process.poll() is not None)
    assert ask(process)['pid'] != pid


@pytest.mark.parametrize(
    ('build', 'reason'),
    [
        (examining.refusing, r'^expected a checkpoint, got none$'),
        (examining.faulty, r"^KeyError: 'a fault of ours'$"),
        (examining.dying, r'^the process that loads the model was killed \(SIGKILL'),
    ],
)
@pytest.mark.parametrize('late', [False, True])
def test_a_model_that_cannot_be_loaded_is_an_error_of_the_first_wait(build, reason, late):
    with ExaminerProcess(build, LONG) as process:
        process.start()
        first = process._child.process
        if late:
            first.wait(60)
        with pytest.raises(ValueError, match=reason):
            process.wait()
        assert process._child.process is first


def test_a_model_that_takes_too_long_to_load(monkeypatch, tmp_path):
    monkeypatch.setattr(process_module, 'LOAD_SECONDS', 0.5)
    build = partial(examining.loading_from, tmp_path / 'never')
    with (
        ExaminerProcess(build, LONG) as process,
        pytest.raises(ValueError, match=r'longer than 0\.5 seconds'),
    ):
        process.wait()


def test_while_the_model_is_loaded_again_images_wait_or_are_told(tmp_path):
    gate = tmp_path / 'gate'
    gate.touch()
    with ExaminerProcess(partial(examining.loading_from, gate), LONG) as process:
        process.wait()
        gate.unlink()
        with pytest.raises(InternalServerError):
            ask(process, b'exit 1')
        assert process.is_loading
        with pytest.raises(ClientDisconnected):  # who does not wait that long leaves it loading
            ask(process, is_wanted=lambda: False)
        gate.write_text('the disk is gone')
        with pytest.raises(InternalServerError, match='loaded again: the disk is gone'):
            ask(process)
        gate.write_text('')
        assert ask(process)['name'] == 'a.jpg'


def test_closing_ends_an_examination_and_takes_no_other(tmp_path):
    path = tmp_path / 'pid'
    errors = []

    def run():
        try:
            ask(process, b'sleep ' + os.fsencode(path))
        except ServiceUnavailable as error:
            errors.append(error)

    with ExaminerProcess(examining.obedient, LONG) as process:
        thread = threading.Thread(target=run)
        thread.start()
        assert wait_until(path.exists)
    thread.join(60)
    (error,) = errors
    assert 'page was stopped' in error.description  # and no word of memory that ran out
    assert wait_until(lambda: not is_alive(int(path.read_text())))
    with pytest.raises(ServiceUnavailable, match='page was stopped'):
        ask(process)


def test_modules_are_not_taken_from_where_the_server_was_started(process, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', [each for each in sys.path if each not in ('', '.')])
    for name in ('json', 'pickle', 'ctypes', 'mmomni'):
        (tmp_path / f'{name}.py').write_text('raise SystemExit("a file of somebody else")')
    assert ask(process)['name'] == 'a.jpg'


ORPHAN = """
import sys, examining
from mmomni.web import ExaminerProcess
process = ExaminerProcess(examining.obedient, 600)
process.wait()
print('ready', flush=True)
process(sys.argv[1].encode(), 'a.jpg')
"""


@pytest.mark.parametrize(
    'word',
    [
        'sleep',
        pytest.param(
            'hold',
            marks=pytest.mark.skipif(sys.platform != 'linux', reason='Linux ends it even then'),
        ),
    ],
)
def test_no_process_outlives_one_that_is_killed(word, tmp_path):
    path = tmp_path / 'pid'
    with started(ORPHAN, f'{word} {path}', path=[os.path.dirname(__file__)]) as parent:
        assert parent.stdout.readline() == 'ready\n'
        assert wait_until(lambda: path.exists() and path.read_text())
        parent.kill()
        assert wait_until(lambda: not is_alive(int(path.read_text())))
