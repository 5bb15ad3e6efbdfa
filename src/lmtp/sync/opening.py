# SPDX-License-Identifier: Apache-2.0
"""
Connect to a server by a blocking socket, and open a session there.

Called by client.py. Not here: what is said (aio/client_steps.py). Raises SessionError, or OSError from the network.
"""

import socket

from lmtp.aio.client_settings import ClientSettings, ClientTls
from lmtp.aio.client_steps import open_session
from lmtp.aio.listeners import Endpoint, TcpEndpoint
from lmtp.protocol.client import ClientConnection
from lmtp.protocol.errors import SessionError
from lmtp.sync.at_once import run
from lmtp.sync.link import Link
from lmtp.sync.sockets import open_socket, secure


def open_link(endpoint: Endpoint, settings: ClientSettings) -> Link:
    """
    Open a session.

    Raises:
        SessionError: there is somebody, and no session to be had: the text and its `reply` say why.
        OSError: nobody answers there, or there is no TLS with them.
    """
    engine = ClientConnection(settings.client_name, dialect=settings.dialect, uses=settings.uses)
    transcript = settings.transcript() if settings.transcript else None
    link = Link(engine, _connect(endpoint, settings), settings.deadlines, transcript)
    try:
        run(open_session(link, endpoint, settings))
    except BaseException:
        link.abort()
        raise
    return link


def _connect(endpoint: Endpoint, settings: ClientSettings) -> socket.socket:
    seconds = settings.deadlines.connect_seconds
    try:
        connection = open_socket(endpoint, seconds)
        if not (isinstance(endpoint, TcpEndpoint) and endpoint.is_tls):
            return connection
        tls = settings.tls or ClientTls()
        return secure(connection, tls.context, tls.server_name or endpoint.host, seconds)
    except TimeoutError:
        raise SessionError(f"{endpoint} did not answer within {seconds:g} s") from None
