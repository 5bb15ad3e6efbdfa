# SPDX-License-Identifier: Apache-2.0
"""
How a client proves who it is: the client's side of SASL, and the two mechanisms that need nothing but octets.

Not here: SCRAM (auth/client.py), base64 and the command (client.py). Exchanges raise `AuthenticationError`.
RFC 4422 §3, RFC 4616, RFC 4954 §4.
"""

from dataclasses import dataclass, field
from typing import Protocol

from lmtp.protocol.sasl import Channel


class AuthenticationError(Exception):
    """
    The server said something the mechanism does not allow, or did not prove what it had to.
    """


class ClientExchange(Protocol):
    """
    One attempt with one mechanism.
    """

    @property
    def initial_response(self) -> bytes | None:
        """
        What is sent with AUTH; None when the server speaks first.
        """
        ...

    def respond(self, challenge: bytes) -> bytes:
        """
        Answer a challenge.

        Raises:
            AuthenticationError: it is none this mechanism knows; the exchange is to be given up.
        """
        ...

    def finish(self) -> None:
        """
        Note that the server has accepted.

        Raises:
            AuthenticationError: the server has not proved that it knows us, which this mechanism wants it to.
        """
        ...


class Credentials(Protocol):
    """
    What a client can prove.
    """

    def mechanisms(self, channel: Channel) -> tuple[str, ...]:
        """
        Return the mechanisms that may be used on this channel, best first; none that shows a password to others.
        """
        ...

    def begin(self, mechanism: str, channel: Channel) -> ClientExchange:
        """
        Begin an exchange with one of `mechanisms`.
        """
        ...


@dataclass(frozen=True, slots=True)
class OneMessage:
    """
    The exchange of a mechanism in which the client says all in one message.
    """

    initial_response: bytes
    """The message."""

    def respond(self, challenge: bytes) -> bytes:
        """
        Refuse: there is nothing more to say.
        """
        raise AuthenticationError(f"the server asks for more: {challenge!r}")

    def finish(self) -> None:
        """
        Do nothing: the server has nothing to prove.
        """


@dataclass(frozen=True, slots=True)
class Password:
    """
    A user's name and password, sent as they are (PLAIN, RFC 4616): under TLS, or where nobody can listen.

    `lmtp.auth.client` has the same by SCRAM, which never sends the password.
    """

    user: str
    """The authentication identity."""
    password: str = field(repr=False)
    """The password."""
    acts_for: str = ""
    """The authorization identity; empty: the user."""

    def mechanisms(self, channel: Channel) -> tuple[str, ...]:
        """
        Return PLAIN where nobody can listen.
        """
        return ("PLAIN",) if channel.is_encrypted or channel.is_local else ()

    def begin(self, mechanism: str, channel: Channel) -> OneMessage:  # noqa: ARG002 - there is but one
        """
        Begin an exchange.
        """
        return OneMessage(f"{self.acts_for}\0{self.user}\0{self.password}".encode())


@dataclass(frozen=True, slots=True)
class External:
    """
    What the channel itself proves: a certificate, or a Unix user (EXTERNAL, RFC 4422 appendix A).
    """

    acts_for: str = ""
    """The authorization identity; empty: whoever the channel says."""

    def mechanisms(self, channel: Channel) -> tuple[str, ...]:  # noqa: ARG002 - nothing is shown to anybody
        """
        Return EXTERNAL.
        """
        return ("EXTERNAL",)

    def begin(self, mechanism: str, channel: Channel) -> OneMessage:  # noqa: ARG002 - there is but one
        """
        Begin an exchange.
        """
        return OneMessage(self.acts_for.encode())
