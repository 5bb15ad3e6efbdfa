# SPDX-License-Identifier: Apache-2.0
"""
How a client's session is opened on a connection: greeting, LHLO, TLS, XCLIENT, AUTH; and LHLO again when it is void.

Whatever goes wrong here says nothing about any recipient. Nothing is sent in clear that was to be secret, and there is
no way back from TLS that was asked for. Not here: sockets and loops; whoever carries the octets is a `Carrier`, and a
coroutine whose carrier never waits runs to its end in one go, which is how the blocking front uses it.
Raises SessionError, and OSError from the carrier. RFC 5321 §3.1 and §3.2, RFC 3207 §4 and §6, RFC 4954 §4.
"""

import contextlib
import ssl
from base64 import b64decode
from typing import Final, Protocol

from lmtp.aio.channel_binding import end_point_binding
from lmtp.aio.client_settings import ClientSettings
from lmtp.aio.listeners import Endpoint, TcpEndpoint
from lmtp.protocol.client import ClientConnection
from lmtp.protocol.credentials import AuthenticationError, ClientExchange, Credentials
from lmtp.protocol.dialect import SMTP
from lmtp.protocol.errors import SessionError
from lmtp.protocol.reply import Reply
from lmtp.protocol.sasl import Channel

_MAX_COMMAND_LINE: Final = 512


class Carrier(Protocol):
    """
    Whoever carries the octets between the engine and the server, and knows how to wait.
    """

    @property
    def engine(self) -> ClientConnection:
        """
        The client's half of the session.
        """
        ...

    @property
    def tls(self) -> ssl.SSLObject | ssl.SSLSocket | None:
        """
        What is known of TLS; None: there is none.
        """
        ...

    async def greeting(self) -> Reply:
        """
        Return the greeting, when it is there. Raises SessionError when none will come.
        """
        ...

    async def answer(self) -> Reply:
        """
        Send what was said to the engine, and return its reply. Raises SessionError when none will come.
        """
        ...

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """
        Do the handshake, and tell the engine. Raises OSError when there is no TLS with them.
        """
        ...

    def mask(self) -> None:
        """
        Keep what is said next out of the transcript, for it is secret.
        """
        ...


async def open_session(carrier: Carrier, endpoint: Endpoint, settings: ClientSettings) -> None:
    """
    Open a session on a connection that has just been made.

    Raises:
        SessionError: there is somebody, and no session to be had: the text and its `reply` say why.
        OSError: the network failed.
    """
    _check(await carrier.greeting(), "the greeting was")
    await _hello(carrier, settings)
    await _secure(carrier, endpoint, settings)
    await _stand_for(carrier, settings)
    if settings.credentials is not None:
        await _authenticate(carrier, endpoint, settings.credentials)


async def _hello(carrier: Carrier, settings: ClientSettings) -> None:
    carrier.engine.greet()
    reply = await carrier.answer()
    if settings.dialect is SMTP and reply.code in (500, 502, 504):  # a server that knows no extensions (RFC 5321 §3.2)
        carrier.engine.greet(is_plain=True)
        reply = await carrier.answer()
    _check(reply, f"the answer to {settings.dialect.greeting_verb} was")


async def _secure(carrier: Carrier, endpoint: Endpoint, settings: ClientSettings) -> None:
    tls = settings.tls
    if tls is None or carrier.tls is not None:
        return
    if "STARTTLS" not in carrier.engine.offered:
        if tls.is_required:
            raise SessionError("the server does not offer STARTTLS")
        return
    carrier.engine.start_tls()
    _check(await carrier.answer(), "the answer to STARTTLS was")
    name = tls.server_name or (endpoint.host if isinstance(endpoint, TcpEndpoint) else "localhost")
    try:
        await carrier.start_tls(tls.context, name)
    except ssl.SSLError as error:
        raise SessionError(f"no TLS with the server: {error.reason or error}") from error
    await _hello(carrier, settings)


async def _stand_for(carrier: Carrier, settings: ClientSettings) -> None:
    count = carrier.engine.replace_client(settings.stands_for) if settings.stands_for else 0
    for _ in range(count):
        _check(await carrier.answer(), "the answer to XCLIENT was")
    if count:
        await _hello(carrier, settings)


def _check(reply: Reply, what: str) -> None:
    if not reply.is_positive:
        raise SessionError(f"{what} {reply}", reply)


# Who we are


async def _authenticate(carrier: Carrier, endpoint: Endpoint, credentials: Credentials) -> None:
    channel = _channel_of(carrier, endpoint)
    listed = carrier.engine.offered.mechanisms
    mechanism = next((name for name in credentials.mechanisms(channel) if name in listed), None)
    if mechanism is None:
        raise SessionError(f"no way to authenticate: the server offers {' '.join(listed) or 'none'}")
    try:
        exchange = credentials.begin(mechanism, channel)
        _check(await _exchange(carrier, mechanism, exchange), "the answer to AUTH was")
        exchange.finish()
    except AuthenticationError as error:
        raise SessionError(f"authentication failed: {error}") from error


async def _exchange(carrier: Carrier, mechanism: str, exchange: ClientExchange) -> Reply:
    first = exchange.initial_response
    fits = first is not None and len(mechanism) + len(first) * 4 // 3 + 12 <= _MAX_COMMAND_LINE
    carrier.mask()
    carrier.engine.authenticate(mechanism, first if fits else None)
    reply = await carrier.answer()
    while reply.code == 334:
        response = first if first is not None and not fits else await _response(carrier, exchange, reply)
        first = None
        carrier.mask()
        carrier.engine.respond(response)
        reply = await carrier.answer()
    return reply


async def _response(carrier: Carrier, exchange: ClientExchange, reply: Reply) -> bytes:
    try:
        return exchange.respond(_challenge(reply))
    except AuthenticationError:
        carrier.engine.respond(None)
        with contextlib.suppress(SessionError):
            await carrier.answer()
        raise


def _challenge(reply: Reply) -> bytes:
    try:
        return b64decode(reply.text, validate=True)
    except ValueError as error:
        raise AuthenticationError(f"the challenge is no base64: {reply.text!r}") from error


def _channel_of(carrier: Carrier, endpoint: Endpoint) -> Channel:
    certificate = carrier.tls.getpeercert(binary_form=True) if carrier.tls else None
    return Channel(
        is_encrypted=carrier.tls is not None,
        is_local=endpoint.is_local,
        end_point=end_point_binding(certificate) if certificate else b"",
    )
