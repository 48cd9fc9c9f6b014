"""The page behind a real socket."""

import http.client
import json
import socket
import threading

import pytest

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
