"""Whether whoever asked still waits for the answer."""

import selectors
import socket
from collections.abc import Mapping
from typing import Any

POLL_SECONDS = 0.25
"""How often that is asked."""


def is_connected(environ: Mapping[str, Any]) -> bool:
    """Whether the client of a request, all of which was read, still listens.

    A browser that leaves the page, and curl after Ctrl+C, close their connection. ``True`` where
    that cannot be seen, as with a server other than Werkzeug's.
    """
    connection = environ.get('werkzeug.socket')
    if connection is None:
        return True
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            return not selector.select(0) or bool(connection.recv(1, socket.MSG_PEEK))
    except (OSError, ValueError):  # broken, or closed here
        return False
