import logging
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO

import pytest
from werkzeug.test import Client

from mmomni.jpeg import ImageReadError
from mmomni.web import Page

UPLOAD = 'application/octet-stream'
LIMIT = 2_000


def examine(data, name):
    """Says what arrived."""
    if data == b'bad':
        raise ImageReadError(f'{name}: expected an image')
    if data == b'trap':
        raise RuntimeError('a fault of ours')
    return dict(name=name, sha256=sha256(data).hexdigest())


@pytest.fixture
def client():
    return Client(Page(examine, dict(checkpoint='tiny.pth'), LIMIT))


def upload(client, data, name='photo.jpg', **options):
    options.setdefault('content_type', UPLOAD)
    if data is not None:
        options['content_length'] = len(data)
    return client.post('/examine', query_string=dict(name=name), data=data, **options)


def test_bytes_arrive_as_they_are(client):
    data = bytes(range(256)) * 4 + b'\r\n--boundary\r\n\x00'
    response = upload(client, data)
    assert response.status_code == 200
    assert response.json == dict(name='photo.jpg', sha256=sha256(data).hexdigest())


def test_about(client):
    assert client.get('/about').json == dict(checkpoint='tiny.pth', max_upload=LIMIT)


@pytest.mark.parametrize(
    ('given', 'name'),
    [
        ('Überweisung 1.jpg', 'Überweisung 1.jpg'),
        ('a&b=c#d.jpg', 'a&b=c#d.jpg'),
        ('../../etc/passwd', 'passwd'),
        ('C:\\photos\\a.jpg', 'a.jpg'),
        ('folder/', 'folder'),
        ('', 'image'),
        ('/', 'image'),
        ('.', 'image'),
        ('./', 'image'),
        ('a/.', 'image'),
        ('..', 'image'),
        ('a\\..', 'image'),
        ('...', '...'),
        ('x' * 300, 'x' * 255),
    ],
)
def test_names(client, given, name):
    assert upload(client, b'data', given).json['name'] == name


def test_an_upload_without_a_name(client):
    response = client.post('/examine', data=b'data', content_type=UPLOAD)
    assert response.json['name'] == 'image'


@pytest.mark.parametrize(
    ('data', 'status', 'reason'),
    [
        (b'bad', 422, 'photo.jpg: expected an image'),
        (b'', 400, 'zero bytes'),
        (b'x' * (LIMIT + 1), 413, '--max-upload-mb'),
        (b'trap', 500, 'RuntimeError: a fault of ours'),
    ],
)
def test_after_a_bad_upload_the_next_one_works(client, data, status, reason):
    response = upload(client, data)
    assert response.status_code == status
    assert reason in response.json['error']
    assert upload(client, b'x' * LIMIT).status_code == 200


def test_a_fault_of_ours_is_logged(client, caplog):
    with caplog.at_level(logging.ERROR):
        upload(client, b'trap')
    assert 'a fault of ours' in caplog.text


@pytest.mark.parametrize(
    ('host', 'status'),
    [
        ('localhost', 200),
        ('LOCALHOST:7860', 200),
        ('127.0.0.1:7860', 200),
        ('[::1]:7860', 200),
        ('[::1]', 200),
        ('evil.example', 400),
        ('evil.example:7860', 400),
        ('localhost.evil.example', 400),
        ('evil@localhost', 400),
        ('[::2]:7860', 400),
        ('', 400),
    ],
)
def test_a_page_of_this_machine_is_called_by_its_own_names(host, status):
    hosts = ('127.0.0.1', 'localhost', '[::1]')
    client = Client(Page(examine, {}, LIMIT, hosts=hosts))
    for path in ('/', '/about'):
        assert client.get(path, headers=dict(Host=host)).status_code == status
    response = upload(client, b'data', headers=dict(Host=host))
    assert response.status_code == status
    assert ('expected to be called' in response.json.get('error', '')) == (status == 400)


@pytest.mark.parametrize(
    ('origin', 'status'),
    [
        ('http://localhost:7860', 200),
        ('https://LOCALHOST:7860', 200),
        ('http://localhost:1234', 403),
        ('http://evil.example', 403),
        ('http://evil.example/localhost:7860', 403),
        ('http://[', 403),
        ('null', 403),
    ],
)
def test_no_page_of_another_origin_is_answered(client, origin, status):
    response = upload(client, b'data', headers=dict(Host='localhost:7860', Origin=origin))
    assert response.status_code == status


class Unread:
    def read(self, *_):
        raise AssertionError('what is too large is not read')

    readline = readinto = read


def test_the_stand_in_for_an_unread_body_would_tell(client):
    environ = {'wsgi.input': Unread(), 'CONTENT_LENGTH': str(LIMIT)}
    response = upload(client, b'', environ_overrides=environ)
    assert 'is not read' in response.json['error']


def test_what_declares_to_be_too_large_is_not_read(client):
    environ = {'wsgi.input': Unread(), 'CONTENT_LENGTH': str(LIMIT + 1)}
    response = upload(client, b'', environ_overrides=environ)
    assert response.status_code == 413


@pytest.mark.parametrize('kind', ['multipart/form-data', 'text/plain', 'image/jpeg', None])
def test_only_a_type_that_other_sites_cannot_send_is_taken(client, kind):
    response = upload(client, b'data', content_type=kind)
    assert response.status_code == 415
    assert f'expected {UPLOAD}' in response.json['error']


@pytest.mark.parametrize(
    ('method', 'path', 'status', 'allow'),
    [
        ('GET', '/examine', 405, 'POST'),
        ('POST', '/', 405, 'GET, HEAD'),
        ('DELETE', '/about', 405, 'GET, HEAD'),
        ('GET', '/page.html', 404, None),
        ('GET', '/../app.py', 404, None),
        ('GET', '/static/page.css', 404, None),
    ],
)
def test_wrong_requests(client, method, path, status, allow):
    response = client.open(path, method=method)
    assert response.status_code == status
    assert response.headers.get('Allow') == allow
    assert path in response.json['error']


@pytest.mark.parametrize(
    ('path', 'kind'),
    [('/', 'text/html'), ('/page.css', 'text/css'), ('/page.js', 'text/javascript')],
)
def test_page(client, path, kind):
    response = client.get(path)
    assert (response.status_code, response.mimetype) == (200, kind)
    assert client.head(path).headers['Content-Length'] == str(len(response.data))


@pytest.mark.parametrize('path', ['/', '/about', '/nothing'])
def test_every_answer_forbids_other_hosts(client, path):
    headers = client.get(path).headers
    policy = dict(rule.split(' ', 1) for rule in headers['Content-Security-Policy'].split('; '))
    assert policy['default-src'] == "'none'"
    assert {word for rule in policy.values() for word in rule.split()} <= {
        "'none'", "'self'", 'blob:', 'data:',
    }  # fmt: skip
    assert headers['Cache-Control'] == 'no-store'
    assert headers['X-Content-Type-Options'] == 'nosniff'


@pytest.mark.parametrize('path', ['/', '/page.css', '/page.js'])
def test_nothing_of_the_page_names_another_host(client, path):
    assert re.findall(r'https?:|["\'(]//', client.get(path).text) == []


class Slow:
    """An examination that goes on until it is told to end."""

    def __init__(self):
        self.running = self.most = 0
        self.started = threading.Semaphore(0)
        self.goes_on = threading.Event()
        self.threads = set()

    def __call__(self, data, name):
        self.running += 1
        self.most = max(self.most, self.running)
        self.threads.add(threading.get_ident())
        self.started.release()
        assert self.goes_on.wait(60)
        self.running -= 1
        return {}


class Body(BytesIO):
    """Tells when it is read."""

    def __init__(self, data):
        super().__init__(data)
        self.is_read = threading.Event()

    def read(self, *size):
        self.is_read.set()
        return super().read(*size)

    def readinto(self, buffer):
        self.is_read.set()
        return super().readinto(buffer)


def test_one_at_a_time_and_no_more_than_a_few_waiting():
    slow = Slow()
    page = Page(slow, {}, LIMIT, max_waiting=2)
    statuses = [Client(page).get('/status').json]
    with ThreadPoolExecutor(3) as clients:
        first = clients.submit(upload, Client(page), b'1')
        assert slow.started.acquire(timeout=60)
        bodies = [Body(b'2') for _ in range(2)]
        others = [
            clients.submit(upload, Client(page), None, input_stream=body) for body in bodies
        ]
        assert all(body.is_read.wait(60) for body in bodies)  # both have a place
        refused = upload(Client(page), b'3')
        statuses.append(Client(page).get('/status').json)
        slow.goes_on.set()
        assert [future.result().status_code for future in (first, *others)] == [200, 200, 200]
    assert refused.status_code == 503
    assert 'waiting' in refused.json['error']
    assert refused.headers['Retry-After'] == '30'
    assert statuses == [dict(images=0, loading=False), dict(images=3, loading=False)]
    assert (slow.most, len(slow.threads)) == (1, 1)
    assert upload(Client(page), b'4').status_code == 200


def test_a_refused_upload_gives_its_place_back():
    client = Client(Page(examine, {}, LIMIT, max_waiting=0))
    for data in (b'bad', b'', b'trap', b'x' * (LIMIT + 1)):
        assert upload(client, data).status_code != 503
    assert upload(client, b'data').status_code == 200


def test_which_picture_of_the_file_is_asked_for():
    asked = []

    def examine(*arguments):
        asked.append(arguments)
        return {}

    client = Client(Page(examine, {}, LIMIT))
    for picture in ({}, dict(picture=7)):
        response = client.post(
            '/examine', query_string=dict(name='a.tif', **picture), data=b'x', content_type=UPLOAD
        )
        assert response.status_code == 200
    assert asked == [(b'x', 'a.tif'), (b'x', 'a.tif', 7)]


@pytest.mark.parametrize(
    ('query', 'expected'),
    [(dict(views=0), ()), (dict(views=1), (1, True)), (dict(views=1, picture=7), (7, True))],
)
def test_views_are_drawn_only_where_they_are_asked_for(query, expected):
    asked = []
    client = Client(Page(lambda *args: asked.append(args) or {}, {}, LIMIT))
    query = dict(name='a.jpg', **query)
    assert client.post(
        '/examine', query_string=query, data=b'x', content_type=UPLOAD
    ).status_code == 200  # fmt: skip
    assert asked == [(b'x', 'a.jpg', *expected)]


@pytest.mark.parametrize('text', ['', 'ela', '2', 'true'])
def test_views_that_are_no_yes_or_no_are_refused(text):
    client = Client(Page(lambda *args: {}, {}, LIMIT))
    query = dict(name='a', views=text)
    response = client.post('/examine', query_string=query, data=b'x', content_type=UPLOAD)
    assert response.status_code == 400
    assert 'expected views=0 or views=1' in response.json['error']


def test_what_is_json_already_is_passed_on():
    client = Client(Page(lambda data, name: b'{"made": "elsewhere"}', {}, LIMIT))
    response = upload(client, b'data')
    assert (response.mimetype, response.json) == ('application/json', dict(made='elsewhere'))


def test_status_says_whether_the_model_is_being_loaded():
    client = Client(Page(examine, {}, LIMIT, is_loading=lambda: True))
    assert client.get('/status').json == dict(images=0, loading=True)


@pytest.mark.parametrize('text', ['0', '-1', 'x', '1' * 9, ''])
def test_no_number_of_a_picture_is_refused(client, text):
    response = client.post(
        '/examine', query_string=dict(name='a', picture=text), data=b'x', content_type=UPLOAD
    )
    assert response.status_code == 400
    assert 'expected picture=NUMBER' in response.json['error']
