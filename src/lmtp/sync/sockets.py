# SPDX-License-Identifier: Apache-2.0
"""
Sockets that wait for as long as they are told: connecting, the TLS handshake, and until there is something to do.

Not here: what is said on them (link.py). Raises TimeoutError, and OSError from the network.
"""

import math
import select
import socket
import ssl
import struct
import time
from typing import Final

from lmtp.aio.listeners import Endpoint, TcpEndpoint

READABLE: Final = select.POLLIN
"""There is something to read."""
WRITABLE: Final = select.POLLOUT
"""There is room to write."""
BROKEN: Final = select.POLLERR | select.POLLHUP | select.POLLNVAL
"""Nothing more can be done; reported whether or not it was asked for."""

_LONGEST_MS: Final = 2**31 - 1  # poll(2) takes an int


def wait_for(connection: socket.socket, what: int, seconds: float) -> int:
    """
    Wait until a socket is ready.

    Args:
        connection: The socket.
        what: `READABLE`, `WRITABLE` or both.
        seconds: For how long; 0: only look.

    Returns:
        What it is ready for, with `BROKEN` where it is so; 0: the time is up.
    """
    poll = select.poll()
    poll.register(connection, what)
    ready = poll.poll(min(math.ceil(max(seconds, 0) * 1000), _LONGEST_MS))
    return ready[0][1] if ready else 0


def open_socket(endpoint: Endpoint, seconds: float) -> socket.socket:
    """
    Connect to a server.

    Raises:
        TimeoutError: nobody has answered in that time; each address of a host has all of it.
        OSError: nobody answers there.
    """
    if isinstance(endpoint, TcpEndpoint):
        connection = socket.create_connection((endpoint.host, endpoint.port), seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # who pipelines has nothing to gain by Nagle
        return connection
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Where many knock at once a socket that does not block is told EAGAIN; one that does waits for its turn.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(seconds))
    try:
        connection.connect(endpoint.path)
    except BlockingIOError:
        connection.close()
        raise TimeoutError(f"{endpoint} takes no connection") from None
    except OSError:
        connection.close()
        raise
    return connection


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("@ll", whole, int((seconds - whole) * 1_000_000))


def secure(connection: socket.socket, context: ssl.SSLContext, server_name: str, seconds: float) -> ssl.SSLSocket:
    """
    Do a TLS handshake.

    Args:
        connection: The connection; it is the result that is to be used from now on, also to close it.
        context: What is checked of the server's certificate, and ours if it asks for one.
        server_name: The name the certificate must be for.
        seconds: How long it may take in all.

    Raises:
        TimeoutError: the time is up.
        OSError: there is no TLS with them; the connection is closed.
    """
    encrypted = context.wrap_socket(connection, server_hostname=server_name, do_handshake_on_connect=False)
    encrypted.setblocking(False)
    deadline = time.monotonic() + seconds
    try:
        while (what := _shake_hands(encrypted)) is not None:
            if not wait_for(encrypted, what, deadline - time.monotonic()):
                raise TimeoutError(f"the TLS handshake took longer than {seconds:g} s")
    except OSError:
        encrypted.close()
        raise
    return encrypted


def _shake_hands(encrypted: ssl.SSLSocket) -> int | None:
    """
    Go on with a handshake, and say what it waits for; None: it is done.
    """
    try:
        encrypted.do_handshake()
    except ssl.SSLWantReadError:
        return READABLE
    except ssl.SSLWantWriteError:
        return WRITABLE
    return None
