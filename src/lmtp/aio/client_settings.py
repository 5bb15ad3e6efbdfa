# SPDX-License-Identifier: Apache-2.0
"""
How a client speaks to a server: who it says it is, TLS, credentials, and how long it waits for what.

Values only; frozen, so that a pool and many clients may share them.
"""

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from lmtp.protocol.client import USED
from lmtp.protocol.credentials import Credentials
from lmtp.protocol.dialect import LMTP, Dialect
from lmtp.protocol.results import Point


class Transcript(Protocol):
    """
    Somebody who writes down what is said; secrets are masked before they get there.
    """

    def client(self, octets: bytes) -> None:
        """
        Take down what we said.
        """
        ...

    def server(self, octets: bytes) -> None:
        """
        Take down what the server said.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDeadlines:
    """
    How long a client waits, in seconds. Each reply has the whole time, however many are owed (RFC 5321 §4.5.3.2).

    Raises:
        ValueError: one is not positive.
    """

    connect_seconds: float = 30
    """For the connection to be made, and for a TLS handshake."""
    greeting_seconds: float = 300
    """For the greeting, and for the replies to LHLO, STARTTLS, AUTH and XCLIENT (§4.5.3.2.1)."""
    command_seconds: float = 300
    """For the reply to MAIL, RCPT and whatever has no deadline of its own (§4.5.3.2.2 and 3)."""
    data_seconds: float = 120
    """For the reply to DATA (§4.5.3.2.4)."""
    block_seconds: float = 180
    """For the server to take a block of the content (§4.5.3.2.5)."""
    content_seconds: float = 600
    """For each reply to the content: who gives up too early delivers twice (§4.5.3.2.6, RFC 1047)."""
    reset_seconds: float = 60
    """For the reply to RSET and NOOP."""
    quit_seconds: float = 5
    """For the reply to QUIT, which changes nothing."""
    after_421_seconds: float = 5
    """For the other recipients' replies once the server has said that it closes."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0")

    def seconds_for(self, point: Point) -> float:
        """
        Return how long to wait for a reply.
        """
        return float(getattr(self, _NAMES.get(point, "command_seconds")))


_NAMES: Final = {
    Point.GREETING: "greeting_seconds",
    Point.LHLO: "greeting_seconds",
    Point.STARTTLS: "greeting_seconds",
    Point.AUTH: "greeting_seconds",
    Point.XCLIENT: "greeting_seconds",
    Point.DATA: "data_seconds",
    Point.CHUNK: "block_seconds",
    Point.CONTENT: "content_seconds",
    Point.RSET: "reset_seconds",
    Point.NOOP: "reset_seconds",
    Point.QUIT: "quit_seconds",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """
    TLS to a server, by STARTTLS, or at once where the endpoint says so.
    """

    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    """What is checked of the server's certificate, and ours if it asks for one."""
    server_name: str = ""
    """The name the certificate must be for; empty: the endpoint's host."""
    is_required: bool = True
    """Nothing is sent in clear: a server without STARTTLS is not used (RFC 3207 §6). Else TLS is used if offered."""


def own_name() -> str:
    """
    Return what this machine calls itself, if that is a domain, without asking the network (RFC 5321 §4.1.4).
    """
    name = socket.gethostname()
    return name if "." in name and name.isascii() and "_" not in name else "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """
    All that is the same for each session with a server.
    """

    client_name: str = field(default_factory=own_name)
    """What we say in LHLO: a domain or an address literal."""
    dialect: Dialect = LMTP
    """LMTP or SMTP."""
    uses: frozenset[str] = USED
    """Which of the extensions a client uses by itself may be used: PIPELINING and CHUNKING."""
    tls: ClientTls | None = None
    """TLS; None: none, unless the endpoint says that it begins with it."""
    credentials: Credentials | None = None
    """Who we are; None: nobody asks."""
    stands_for: Mapping[str, str | None] = field(default_factory=dict)
    """The client we speak for, told by XCLIENT where the server trusts us: ADDR, NAME, HELO and so on, in capitals."""
    deadlines: ClientDeadlines = field(default_factory=ClientDeadlines)
    """How long to wait for what."""
    transcript: Callable[[], Transcript] | None = None
    """Makes whoever writes down what is said on one connection."""
