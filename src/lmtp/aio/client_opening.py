# SPDX-License-Identifier: Apache-2.0
"""
Connect to a server by asyncio, and open a session there.

Called by client.py. Not here: what is said (client_steps.py). Raises SessionError, or OSError from the network.
"""

import asyncio

from lmtp.aio.client_link import Link
from lmtp.aio.client_settings import ClientSettings, ClientTls
from lmtp.aio.client_steps import open_session
from lmtp.aio.listeners import Endpoint, TcpEndpoint
from lmtp.protocol.client import ClientConnection
from lmtp.protocol.errors import SessionError


async def open_link(endpoint: Endpoint, settings: ClientSettings) -> Link:
    """
    Open a session.

    Raises:
        SessionError: there is somebody, and no session to be had: the text and its `reply` say why.
        OSError: nobody answers there, or there is no TLS with them.
    """
    link = await _connect(endpoint, settings)
    try:
        await open_session(link, endpoint, settings)
    except BaseException:
        link.abort()
        raise
    return link


async def _connect(endpoint: Endpoint, settings: ClientSettings) -> Link:
    loop = asyncio.get_running_loop()
    engine = ClientConnection(settings.client_name, dialect=settings.dialect, uses=settings.uses)
    link = Link(engine, settings.deadlines, settings.transcript() if settings.transcript else None)
    try:
        async with asyncio.timeout(settings.deadlines.connect_seconds):
            if isinstance(endpoint, TcpEndpoint):
                tls = settings.tls or ClientTls()
                context, name = (tls.context, tls.server_name or endpoint.host) if endpoint.is_tls else (None, None)
                await loop.create_connection(
                    lambda: link, endpoint.host, endpoint.port, ssl=context, server_hostname=name
                )
            else:
                await loop.create_unix_connection(lambda: link, endpoint.path)
    except TimeoutError:
        raise SessionError(f"{endpoint} did not answer within {settings.deadlines.connect_seconds:g} s") from None
    return link
