# SPDX-License-Identifier: Apache-2.0
"""
What a connection is before it is a session and after it, and how TLS is put between a transport and its protocol.

Not here: certificates (tls.py), and what is forgotten when TLS is up (connection.py, which calls this).
Never raises: a handshake that fails is told as a `HandshakeError`, with a phrase for the log. RFC 3207 §4.
"""

import asyncio
import enum
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from lmtp.aio.tls import ServerTls, TlsFacts, facts_of
from lmtp.protocol.errors import RemoteProtocolError


class Stage(enum.Enum):
    """
    What the octets of a connection are.
    """

    PROXY = "PROXY header"
    """A header that says for whom the peer connects."""
    TLS = "TLS handshake"
    """A handshake; none of them is ours."""
    SESSION = "session"
    """Commands and contents."""
    CLOSING = "close"
    """What the client had on its way when we said our last word; nobody looks at it."""

    @property
    def is_arrival(self) -> bool:
        """
        There is no session yet, or not the one that was asked for: whatever ends the connection now is a failure.
        """
        return self in (Stage.PROXY, Stage.TLS)


class HandshakeError(RemoteProtocolError):
    """
    There is no TLS with this peer: the connection is to be cut without another word.
    """


@dataclass(frozen=True, slots=True)
class Upgraded:
    """
    A connection under TLS.
    """

    transport: asyncio.Transport
    """What encrypts."""
    facts: TlsFacts
    """What is known of it."""
    early: bytes
    """What the client said right behind its handshake: nobody may read it before the handshake is known to be over."""


class _Early(asyncio.Protocol):
    """
    Keeps what comes in the same segment as the end of the handshake; no more is read before the handshake is told.
    """

    def __init__(self) -> None:
        self.octets = b""

    def data_received(self, data: bytes) -> None:
        self.octets += data


class Upgrade:
    """
    How one connection comes under TLS, once.

    The protocol hears of what happens before the handshake and after it, and of nothing in between.

    Args:
        tls: Where the certificate is; None where nobody comes under TLS.
        protocol: Who is to hear what comes in under TLS.
        timeout_seconds: How long a handshake may take once there is a certificate.
        succeeded: Called when TLS is up.
        failed: Called when there is none with this peer.
    """

    def __init__(
        self,
        tls: ServerTls | None,
        protocol: asyncio.BaseProtocol,
        *,
        timeout_seconds: float,
        succeeded: Callable[[Upgraded], None],
        failed: Callable[[HandshakeError], None],
    ) -> None:
        self._tls = tls
        self._protocol = protocol
        self._timeout_seconds = timeout_seconds
        self._succeeded = succeeded
        self._failed = failed
        self._transport: asyncio.Transport | None = None
        self._head = bytearray()
        self._task: asyncio.Task[None] | None = None

    def prepare(self, transport: asyncio.Transport) -> None:
        """
        Leave what still comes in to the handshake.
        """
        self._transport = transport
        transport.pause_reading()

    def begin(self) -> None:
        """
        Begin the handshake.
        """
        self._task = asyncio.get_running_loop().create_task(self._run(self._prepared))

    def keep(self, octets: memoryview) -> None:
        """
        Keep what was read before the handshake began.

        uvloop begins to read when a protocol's `connection_made` returns, whatever was said there: where a connection
        begins with TLS, it may be quicker than we are.
        """
        self._head += octets
        self._prepared.pause_reading()

    def cancel(self) -> None:
        """
        Nobody waits for TLS any more.
        """
        if self._task is not None:
            self._task.cancel()

    @property
    def _prepared(self) -> asyncio.Transport:
        assert self._transport is not None, "it is prepared first"  # noqa: S101
        return self._transport

    async def _run(self, transport: asyncio.Transport) -> None:
        try:
            upgraded = await self._shake_hands(transport)
        except HandshakeError as error:
            self._task = None  # who is told of it cancels whatever is under way
            self._failed(error)
        else:
            self._succeeded(upgraded)

    async def _shake_hands(self, transport: asyncio.Transport) -> Upgraded:
        assert self._tls is not None, "there is a certificate where TLS is offered"  # noqa: S101
        context = await self._tls.fresh()
        loop, early = asyncio.get_running_loop(), _Early()
        loop.call_soon(self._hand_over, transport)  # comes before anything else that TLS is told
        try:
            upgraded = await loop.start_tls(
                transport, early, context, server_side=True, ssl_handshake_timeout=self._timeout_seconds
            )
        except ssl.SSLError as error:
            raise HandshakeError((error.reason or str(error)).replace("_", " ").lower()) from error
        except (OSError, ValueError) as error:  # ValueError: a name in the client's certificate that can't be read
            raise HandshakeError(str(error) or "the client left") from error
        # asyncio returns nothing, and uvloop what is closed, when the connection was lost meanwhile without an error.
        if upgraded is None or upgraded.is_closing():
            raise HandshakeError("the client left")
        upgraded.set_protocol(self._protocol)
        return Upgraded(upgraded, facts_of(upgraded.get_extra_info("ssl_object")), early.octets)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        """
        Give what was read too early to TLS, as the transport itself would.
        """
        if self._head and not transport.is_closing():
            tls = cast("asyncio.BufferedProtocol", transport.get_protocol())  # uvloop's is no subclass
            memoryview(tls.get_buffer(len(self._head)))[: len(self._head)] = self._head
            tls.buffer_updated(len(self._head))
        self._head.clear()
