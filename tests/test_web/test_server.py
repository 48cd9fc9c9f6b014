"""The page behind a real socket."""

import http.client
import json
import socket
import struct
import threading

import pytest
from processes import wait_until
from werkzeug.exceptions import ClientDisconnected

from mmomni.web import Page, open_server

LIMIT = 100_000
HEADERS = {'Content-Type': 'application/octet-stream'}


@pytest.fixture
def server():
    page = Page(lambda data, name: dict(size=len(data)), {}, LIMIT)
    server = open_server(page, '127.0.0.1', 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()


def upload(server, body, headers=HEADERS):
    connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=60)
    connection.request('POST', '/examine?name=a.jpg', body, dict(headers))
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_upload(server):
    assert upload(server, b'x' * LIMIT) == (200, dict(size=LIMIT))


def test_what_is_too_large_is_told_so(server):
    status, answer = upload(server, b'x' * (50 * LIMIT))
    assert status == 413
    assert '--max-upload-mb' in answer['error']
    assert upload(server, b'data') == (200, dict(size=4))


@pytest.mark.parametrize('number', [1, 500])
def test_what_does_not_say_how_large_it_is_is_refused(server, number):
    status, answer = upload(server, (b'x' * 1000 for _ in range(number)))
    assert status == 411
    assert 'how long' in answer['error']
    assert upload(server, b'data') == (200, dict(size=4))


@pytest.mark.parametrize('sent', [b'x' * 10, b''])
def test_an_upload_that_breaks_off_is_survived(server, sent):
    request = (
        f'POST /examine HTTP/1.1\r\nHost: a\r\nContent-Type: {HEADERS["Content-Type"]}\r\n'
        'Content-Length: 1000\r\n\r\n'
    )
    with socket.create_connection(('127.0.0.1', server.port), timeout=60) as connection:
        connection.sendall(request.encode() + sent)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile('rb').read()
    assert b' 400 ' in answer.splitlines()[0]
    assert upload(server, b'data') == (200, dict(size=4))


def test_an_upload_that_never_ends_gives_its_place_back(server):
    server.app.upload_seconds = 0.2
    request = (
        f'POST /examine HTTP/1.1\r\nHost: a\r\nContent-Type: {HEADERS["Content-Type"]}\r\n'
        'Content-Length: 1000\r\n\r\nthe beginning'
    )
    address = ('127.0.0.1', server.port)
    connections = [socket.create_connection(address, timeout=30) for _ in range(5)]
    for connection in connections:
        connection.sendall(request.encode())
    for connection in connections:
        with connection:
            answer = connection.makefile('rb').read()
        assert b' 408 ' in answer.splitlines()[0]
        assert b'0.2 seconds' in answer
    server.app.upload_seconds = 60
    assert upload(server, b'data') == (200, dict(size=4))


def test_no_http_at_all_is_survived(server):
    with socket.create_connection(('127.0.0.1', server.port), timeout=60) as connection:
        connection.sendall(b'\x16\x03\x01\x00' * 20 + b'\r\n\r\n')
        connection.makefile('rb').read()
    assert upload(server, b'data') == (200, dict(size=4))


class Patient:
    """Examines until nobody waits for it, or it is told to end."""

    def __init__(self):
        self.begun, self.ended, self.goes_on = (threading.Event() for _ in range(3))
        self.given_up = []

    def __call__(self, data, name, is_wanted):
        self.begun.set()
        while is_wanted() and not self.goes_on.wait(0.01):
            pass
        if not is_wanted():
            self.given_up.append(data)
            self.ended.set()
            raise ClientDisconnected('nobody waits')
        return dict(size=len(data))


@pytest.fixture
def patient(server):
    server.app.examine = Patient()
    server.app.stoppable = True
    return server.app.examine


def sent(server, body):
    """A connection with a whole request, whose answer nobody has read yet."""
    connection = socket.create_connection(('127.0.0.1', server.port), timeout=60)
    request = (
        f'POST /examine HTTP/1.1\r\nHost: a\r\nContent-Type: {HEADERS["Content-Type"]}\r\n'
        f'Content-Length: {len(body)}\r\n\r\n'
    )
    connection.sendall(request.encode() + body)
    return connection


@pytest.mark.parametrize('how', ['closed', 'reset'])
def test_an_examination_ends_when_the_browser_is_gone(server, patient, how):
    connection = sent(server, b'first')
    assert patient.begun.wait(60)
    if how == 'reset':
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()
    assert patient.ended.wait(60)
    assert patient.given_up == [b'first']
    patient.goes_on.set()
    assert upload(server, b'data') == (200, dict(size=4))


def test_who_waits_and_goes_leaves_the_place_to_others(server, patient):
    with sent(server, b'first'):
        assert patient.begun.wait(60)
        others = [sent(server, b'other') for _ in range(4)]
        assert wait_until(lambda: server.app._here == 5)
        assert upload(server, b'data')[0] == 503
        for connection in others:
            connection.close()
        assert wait_until(lambda: server.app._here == 1)
        patient.goes_on.set()
        assert upload(server, b'data') == (200, dict(size=4))
    assert patient.given_up == []


def test_who_waits_for_the_answer_gets_it(server, patient):
    with sent(server, b'first') as connection:
        assert patient.begun.wait(60)
        patient.goes_on.set()
        answer = connection.makefile('rb').read()
    assert b' 200 ' in answer.splitlines()[0]
    assert answer.endswith(b'{"size": 5}')
