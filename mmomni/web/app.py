import json
import logging
import re
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    Forbidden,
    HTTPException,
    LengthRequired,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    RequestTimeout,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from mmomni.jpeg import ImageReadError
from mmomni.utils.templates import asset, render

from .clients import POLL_SECONDS, is_connected
from .queries import file_name, what_of_it

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def _assets(names: str) -> str:
    """Files of the templates, one behind the other."""
    return ''.join(map(asset, names.split()))


PARTS: dict[str, tuple[Callable[[str], str], str, str]] = {
    '/': (render, 'serve.html.jinja', 'text/html'),
    '/page.css': (_assets, 'reading.css serve.css', 'text/css'),
    '/page.js': (_assets, 'reading.js serve.js', 'text/javascript'),
}
UPLOAD_TYPE = 'application/octet-stream'
"""Asked for because no other site can make a browser send it here without asking first (CORS)."""
HEADERS = {
    # The browser itself refuses to fetch anything from anywhere else.
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
}
RETRY_SECONDS = 30

logger = logging.getLogger(__name__)


class Page:
    """The page as a WSGI application, without state: what was uploaded is gone with the answer.

    ===========================  ==================================================================
    ``GET /``                    the page, with ``/page.css`` and ``/page.js``
    ``GET /about``               ``about`` and the limits, JSON
    ``GET /status``              ``images``: how many are here, one of them being examined;
                                 ``loading``: whether they wait for the model; JSON
    ``POST /examine?name=NAME``  the file's bytes, unpacked and unchanged, as
                                 ``application/octet-stream``; the answer of ``examine`` as JSON;
                                 with ``&picture=2`` of another picture of the file, with
                                 ``&views=1`` with all views
    ===========================  ==================================================================

    Whatever goes wrong is answered as JSON, ``{"error": reason}``, with a status of 4xx or 5xx.

    Args:
        examine: (bytes of a file, its name, which of its pictures, whether with views) to what the
            page shows, or to that as JSON; the last two only where they are asked for. Called for
            one image at a time.
            Raises ``ImageReadError`` for a file that cannot be used.
        about: Shown on the page.
        max_upload: Bytes; more are refused before they are read.
        max_waiting: Uploads that wait, in memory, while one is examined; more are sent away.
        hosts: By which names (``localhost``, ``[::1]``) the page can be called, at any port; empty:
            by any. A page that only this machine may reach needs them: else a site could let its
            own name point to this machine and read the answers (DNS rebinding).
        upload_seconds: In which an upload must have arrived as a whole; it holds a place.
        stoppable: ``examine`` takes ``is_wanted``, too, and ends when that is ``False``: nobody
            waits for the answer any more.
        is_loading: Tells whether a model has to be loaded before ``examine`` can begin.
    """

    def __init__(
        self,
        examine: Callable[..., Mapping[str, Any] | bytes],
        about: Mapping[str, Any],
        max_upload: int,
        max_waiting: int = 4,
        hosts: Collection[str] = (),
        upload_seconds: float = 120,
        stoppable: bool = False,
        is_loading: Callable[[], bool] = lambda: False,
    ) -> None:
        self.examine = examine
        self.about = {**about, 'max_upload': max_upload}
        self.max_upload = max_upload
        self.hosts = hosts
        self.upload_seconds = upload_seconds
        self.stoppable = stoppable
        self.is_loading = is_loading
        self._most = 1 + max_waiting
        self._here = 0
        self._lock = threading.Lock()
        # One image at a time, and always in the same thread: each new one would make torch start
        # its own pool of threads.
        self._examiner = ThreadPoolExecutor(1, 'examiner')

    def __call__(
        self, environ: 'WSGIEnvironment', start_response: 'StartResponse'
    ) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = self._answer(request)
        except HTTPException as error:
            response = _with_json(error.get_response(), {'error': error.description})
        except ImageReadError as error:
            response = _with_json(Response(status=422), {'error': str(error)})
        except Exception as error:
            logger.exception('an upload could not be examined')
            reason = f'the examination ended with {type(error).__name__}: {error}'
            response = _with_json(Response(status=500), {'error': reason})
        response.headers.extend(HEADERS)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        self._check_caller(request)
        if request.path == '/examine':
            _check_method(request, 'POST')
            return _with_json(Response(), self._examine(request))
        facts = {'/about': self._facts, '/status': self._status}.get(request.path)
        if facts is None and request.path not in PARTS:
            raise NotFound(f'there is no {request.path} here; the page is at /')
        _check_method(request, 'GET', 'HEAD')
        if facts is not None:
            return _with_json(Response(), facts())
        make, name, kind = PARTS[request.path]
        return Response(make(name), content_type=f'{kind}; charset=utf-8')

    def _facts(self) -> Mapping[str, Any]:
        return self.about

    def _status(self) -> Mapping[str, Any]:
        return dict(images=self._here, loading=self.is_loading())

    def _check_caller(self, request: Request) -> None:
        host = request.headers.get('Host', '')
        name = re.sub(r':\d*$', '', host).lower()
        if self.hosts and name not in self.hosts:
            raise BadRequest(f'expected to be called {" or ".join(self.hosts)}, got {host!r}')
        origin = request.headers.get('Origin')
        if origin is not None and _netloc(origin) != host.lower():
            raise Forbidden(f'expected a request of the page at {host}, got one of {origin!r}')

    def _examine(self, request: Request) -> Mapping[str, Any] | bytes:
        if request.mimetype != UPLOAD_TYPE:
            raise UnsupportedMediaType(f'expected {UPLOAD_TYPE}, got {request.mimetype!r}')
        which = what_of_it(request)
        with self._place():
            upload = [self._read(request)]
            name = file_name(request.args.get('name', ''))
            return self._in_turn(upload, name, which, partial(is_connected, request.environ))

    @contextmanager
    def _place(self) -> Iterator[None]:
        with self._lock:
            if self._here == self._most:
                raise ServiceUnavailable(
                    'other images are waiting already and memory is finite; try again in a minute',
                    retry_after=RETRY_SECONDS,
                )
            self._here += 1
        try:
            yield
        finally:
            with self._lock:
                self._here -= 1

    def _in_turn(
        self, upload: list[bytes], name: str, which: list[int], is_wanted: Callable[[], bool]
    ) -> Mapping[str, Any] | bytes:
        """Examine when all before are done, unless the client has gone by then."""
        options = dict(is_wanted=is_wanted) if self.stoppable else {}
        turn = self._examiner.submit(lambda: self.examine(upload.pop(), name, *which, **options))
        while not wait([turn], POLL_SECONDS).done:
            if not is_wanted() and turn.cancel():  # it has not begun
                upload.clear()  # the turn itself stays in the queue
                raise ClientDisconnected('nobody waits for it any more')
        return turn.result()

    def _read(self, request: Request) -> bytes:
        size = request.content_length
        if size is None:
            raise LengthRequired('expected a request that says beforehand how long it is')
        if size > self.max_upload:
            raise RequestEntityTooLarge(
                f'expected a file of at most {self.max_upload / 2**20:g} MB, got one of '
                f'{size / 2**20:.1f} MB; start `mmomni serve` with a higher --max-upload-mb, or '
                'use `mmomni predict`'
            )
        if not size:
            raise BadRequest('expected an image file, got one of zero bytes')
        return self._receive(request)

    def _receive(self, request: Request) -> bytes:
        late = threading.Event()

        def give_up() -> None:
            late.set()
            # Absent without Werkzeug's server; the read that waits ends as if the client had gone.
            if (connection := request.environ.get('werkzeug.socket')) is not None:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)

        timer = threading.Timer(self.upload_seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            return request.get_data(cache=False)
        except ClientDisconnected as error:
            if not late.is_set():
                raise
            raise RequestTimeout(
                f'expected the whole upload within {self.upload_seconds:g} seconds; use '
                '`mmomni predict` where the connection is too slow'
            ) from error
        finally:
            timer.cancel()


class _Handler(WSGIRequestHandler):
    timeout = 60  # seconds without a byte, after which a connection is given up

    def log_request(self, code: int | str = '-', size: int | str = '-') -> None:
        if self.path != '/status':  # asked for each second
            # Werkzeug's own line is coloured, in a file, too.
            request = self.requestline.encode('unicode_escape').decode('ascii')
            self.log('info', '"%s" %s %s', request, code, size)


def open_server(page: Page, host: str, port: int) -> BaseWSGIServer:
    """Listen; ``serve_forever()`` answers, one thread a request, until interrupted.

    Port 0 takes any that is free; ``server.port`` tells.

    Raises:
        SystemExit: The port is taken or the address not this machine's; Werkzeug prints it.
    """
    return make_server(host, port, page, threaded=True, request_handler=_Handler)


def _netloc(origin: str) -> str | None:
    """Host and port; ``None``: it has none, such as ``null``."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _check_method(request: Request, *allowed: str) -> None:
    if request.method not in allowed:
        raise MethodNotAllowed(
            allowed, f'expected {" or ".join(allowed)} for {request.path}, got {request.method}'
        )


def _with_json(response: Response, content: Mapping[str, Any] | bytes) -> Response:
    is_json = isinstance(content, bytes)
    response.data = content if is_json else json.dumps(content, allow_nan=False)
    response.content_type = 'application/json'
    return response
