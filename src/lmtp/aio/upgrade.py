# SPDX-License-Identifier: Apache-2.0
"""
What a connection is before it is a session, and how TLS is put between a transport and its protocol.

Not here: certificates (tls.py), and what is forgotten when TLS is up (connection.py, which calls this).
`handshake` raises `HandshakeError`, with a phrase for the log. RFC 3207 §4.
"""

import asyncio
import enum
import ssl
from dataclasses import dataclass

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
    Keeps what comes in the same segment as the end of the handshake; no more is read before `handshake` returns.
    """

    def __init__(self) -> None:
        self.octets = b""

    def data_received(self, data: bytes) -> None:
        self.octets += data


async def handshake(
    tls: ServerTls,
    transport: asyncio.Transport,
    protocol: asyncio.BaseProtocol,
    timeout_seconds: float,
) -> Upgraded:
    """
    Put TLS between a transport, whose reading is paused, and its protocol.

    The protocol hears of what happens before the handshake and after it, and of nothing in between.

    Raises:
        HandshakeError: it failed or took too long, or the client left.
    """
    context = await tls.fresh()
    early = _Early()
    try:
        upgraded = await asyncio.get_running_loop().start_tls(
            transport, early, context, server_side=True, ssl_handshake_timeout=timeout_seconds
        )
    except ssl.SSLError as error:
        raise HandshakeError((error.reason or str(error)).replace("_", " ").lower()) from error
    except (OSError, ValueError) as error:  # ValueError: a name in the client's certificate that can't be read
        raise HandshakeError(str(error) or "the client left") from error
    # asyncio returns nothing, and uvloop what is closed, when the connection was lost without an error.
    ssl_object = upgraded.get_extra_info("ssl_object") if upgraded else None
    if upgraded is None or ssl_object is None:
        raise HandshakeError("the client left")
    upgraded.set_protocol(protocol)
    return Upgraded(upgraded, facts_of(ssl_object), early.octets)
