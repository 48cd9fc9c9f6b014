from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from .app import Page


class _Handler(WSGIRequestHandler):
    timeout = 60  # seconds without a byte, after which a connection is given up


def open_server(page: Page, host: str, port: int) -> BaseWSGIServer:
    """Listen; ``serve_forever()`` answers, one thread a request, until interrupted.

    Args:
        page: What to serve.
        host: An address of this machine.
        port: 0 takes any that is free; ``server.port`` tells.

    Raises:
        SystemExit: The port is taken or the address not this machine's; Werkzeug prints it.
    """
    return make_server(host, port, page, threaded=True, request_handler=_Handler)
