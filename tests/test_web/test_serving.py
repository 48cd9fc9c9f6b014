"""``mmomni serve`` as a process, and the ways to end it."""

import http.client
import json
import os
import signal
import struct
import threading
from pathlib import Path

import pytest
from image_bytes import written
from PIL import Image
from processes import is_alive, started, wait_until

HERE = Path(__file__).parent
WEIGHTS = sorted((HERE.parents[1] / 'mmomni/weights').glob('*.safetensors'))
LIGHT = """
import sys, examining
from mmomni.cli import main, serve
serve.open_examiner = examining.obedient
raise SystemExit(main(sys.argv[1:]))
"""
REAL = """
import sys
from mmomni.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


def serving(script, *options, temporary=None):
    arguments = ['serve', '--checkpoint', *options, '--port', 0]
    first = f'import tempfile\ntempfile.tempdir = {str(temporary)!r}\n' if temporary else ''
    return started(first + script, *arguments, path=[HERE])


def port_of(process):
    line = process.stdout.readline()
    assert line.startswith('http://127.0.0.1:'), process.stderr.read()
    return int(line.split(':')[2].split()[0])


def upload(port, data):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=300)
    headers = {'Content-Type': 'application/octet-stream'}
    connection.request('POST', '/examine?name=a.jpg', data, headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def upload_in_vain(port, data, answers):
    """The server ends before it answers, or says that it ends."""
    try:
        answers.append(upload(port, data))
    except (http.client.HTTPException, ConnectionError):
        answers.append(None)


@pytest.mark.parametrize(
    ('sent', 'whole_group', 'status'),
    [
        (signal.SIGINT, True, 0),
        (signal.SIGINT, False, 0),
        (signal.SIGTERM, False, 0),
        (signal.SIGKILL, False, -signal.SIGKILL),
    ],
)
def test_a_signal_in_the_middle_of_an_examination_ends_it(sent, whole_group, status, tmp_path):
    path = tmp_path / 'pid'
    (tmp_path / 'temporary').mkdir()
    with serving(LIGHT, 'tiny.pth', temporary=tmp_path / 'temporary') as server:
        port = port_of(server)
        answers = []
        client = threading.Thread(
            target=upload_in_vain, args=(port, b'sleep ' + os.fsencode(path), answers)
        )
        client.start()
        assert wait_until(lambda: path.exists() and path.read_text())
        (os.killpg if whole_group else os.kill)(server.pid, sent)
        assert server.wait(60) == status
        client.join(60)
        error = server.stderr.read()
        assert wait_until(lambda: not is_alive(int(path.read_text())))
    (answer,) = answers
    assert answer is None or (answer[0] == 503 and 'page was stopped' in answer[1]['error'])
    assert ('mmomni serve: stopped' in error.splitlines()) == (not status)
    assert 'Traceback' not in error
    assert '\x1b' not in error  # no colours in a file
    assert not any((tmp_path / 'temporary').iterdir())


def test_a_model_that_cannot_be_loaded_is_one_line():
    with serving(LIGHT.replace('obedient', 'refusing'), 'tiny.pth') as server:
        out, error = server.communicate(timeout=300)
    assert (server.returncode, out) == (1, '')
    assert error == 'mmomni serve: expected a checkpoint, got none\n'


def grey_that_says(side):
    """A JPEG of a few hundred bytes that declares much more than it holds."""
    data = written(Image.new('RGB', (16, 16)), 'JPEG')
    place = data.index(b'\xff\xc0') + 5
    return data[:place] + struct.pack('>HH', side, side) + data[place + 4 :]


@pytest.mark.slow
@pytest.mark.skipif(not WEIGHTS, reason='needs the weights of the package')
def test_a_few_bytes_that_declare_much_work_do_not_block_the_page(tmp_path):
    with serving(REAL, WEIGHTS[-1], '--timeout', 10) as server:
        port = port_of(server)
        small = written(Image.new('RGB', (64, 48)), 'JPEG')
        assert upload(port, small)[0] == 200
        hostile = grey_that_says(7000)
        assert len(hostile) < 1000
        status, answer = upload(port, hostile)
        assert status == 504
        assert 'within 10 seconds' in answer['error']
        assert upload(port, small)[0] == 200
        server.terminate()
        assert server.wait(60) == 0
