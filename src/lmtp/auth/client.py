# SPDX-License-Identifier: Apache-2.0
"""
Passwords of a client that are not sent: SCRAM where the server offers it, and PLAIN only where nobody can listen.

Needs scramp. Without it `lmtp.Password` does PLAIN. RFC 5802, RFC 7677, RFC 4616.
"""

from dataclasses import dataclass, field

from lmtp.auth.scram import SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramClientExchange
from lmtp.protocol.credentials import ClientExchange, Password
from lmtp.protocol.sasl import Channel


@dataclass(frozen=True, slots=True)
class ScramPassword:
    """
    A user's name and password, proved by SCRAM-SHA-256-PLUS or SCRAM-SHA-256, or sent by PLAIN under TLS.
    """

    user: str
    """The authentication identity."""
    password: str = field(repr=False)
    """The password."""

    def mechanisms(self, channel: Channel) -> tuple[str, ...]:
        """
        Return the mechanisms, best first; -PLUS only where the connection can be bound to.
        """
        bound = (SCRAM_SHA_256_PLUS,) if channel.end_point else ()
        return (*bound, SCRAM_SHA_256, *self._plain.mechanisms(channel))

    def begin(self, mechanism: str, channel: Channel) -> ClientExchange:
        """
        Begin an exchange with one of `mechanisms`.

        Raises:
            AuthenticationError: the name or the password holds what RFC 4013 forbids.
        """
        if mechanism == "PLAIN":
            return self._plain.begin(mechanism, channel)
        return ScramClientExchange(mechanism, self.user, self.password, end_point=channel.end_point)

    @property
    def _plain(self) -> Password:
        return Password(self.user, self.password)
