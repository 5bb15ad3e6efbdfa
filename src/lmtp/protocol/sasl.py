# SPDX-License-Identifier: Apache-2.0
"""
The words of a SASL exchange: what the client may prove, over what channel, and what each step comes to.

Vocabulary only. The engine (server.py) carries the octets, auth/ has the mechanisms, aio/ runs one against the other.
RFC 4422 §3, RFC 4954 §4.
"""

from dataclasses import dataclass
from typing import Protocol

from lmtp.protocol.status import EnhancedStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """
    What is known of a connection that matters to who may prove what.
    """

    is_encrypted: bool = False
    """TLS is up."""
    is_local: bool = False
    """Nobody can listen: a Unix socket, or the loopback."""
    external_identity: str = ""
    """Who the client is by the channel itself: a certificate's name, a Unix user; empty: unknown (RFC 4422 §A)."""
    end_point: bytes = b""
    """The channel binding ``tls-server-end-point`` (RFC 5929 §4); empty: there is none."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """
    The exchange goes on: the client is asked for a response.
    """

    octets: bytes
    """What it is asked, before base64."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """
    The client is who it says it is.
    """

    identity: str
    """Whom it acts for: the authorization identity."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """
    It is not, or nobody can tell now.
    """

    status: str = "5.7.8"
    """The enhanced status: class 5 for wrong credentials, class 4 when they could not be checked."""
    detail: str = ""
    """Why, for the log; the peer never sees it."""

    def __post_init__(self) -> None:
        if EnhancedStatus(self.status).category not in (4, 5):
            raise ValueError(f"{self.status} is not of class 4 or 5")


Step = Challenge | Authenticated | Rejected
"""What a response leads to."""


class Exchange(Protocol):
    """
    One attempt of one client with one mechanism.
    """

    def step(self, response: bytes | None) -> Step:
        """
        Take the client's response and say what comes next. Called from one thread at a time; may compute for long.

        Args:
            response: The octets after base64; None at the beginning when the client sent no initial response.
        """
        ...


class Authenticator(Protocol):
    """
    Knows mechanisms and identities.
    """

    def mechanisms(self, channel: Channel) -> tuple[str, ...]:
        """
        Return the mechanisms a client of this channel may use, best first; none that would show a password to others.
        """
        ...

    def begin(self, mechanism: str, channel: Channel) -> Exchange:
        """
        Begin an exchange.

        Args:
            mechanism: One of `mechanisms` for this channel.
            channel: The connection.
        """
        ...
