# SPDX-License-Identifier: Apache-2.0
"""
Which mechanism may be used over which channel, and the exchange that begins with it.

Not here: what a mechanism does (mechanisms.py, scram.py), how many attempts a session has (protocol/), and who runs
the steps on a thread (aio/). Nothing sleeps after a failure: a thread that does is one less for those who know their
password. Raises LocalProtocolError for a mechanism that was not offered. RFC 4954 §4, §6, §9, RFC 4422 §3.3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from lmtp.auth.mechanisms import EXTERNAL, PLAIN, ExternalExchange, PlainExchange
from lmtp.auth.password_file import PasswordFile
from lmtp.auth.password_table import PasswordTable
from lmtp.auth.scram import SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramExchange
from lmtp.protocol.errors import LocalProtocolError, TransientError
from lmtp.protocol.sasl import Channel, Exchange, Rejected, Step

MECHANISMS: Final = (EXTERNAL, SCRAM_SHA_256_PLUS, SCRAM_SHA_256, PLAIN)
"""What there is, best first: no password at all, one bound to the channel, one that is not shown, one that is."""

_SCRAM: Final = (SCRAM_SHA_256_PLUS, SCRAM_SHA_256)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaslOptions:
    """
    What a client may authenticate with.

    Raises:
        ValueError: a mechanism is not one of `MECHANISMS`.
    """

    mechanisms: tuple[str, ...] = MECHANISMS
    """Those that may be offered, in any order; each is where the channel and the rest of the configuration allow it."""
    external_identities: tuple[str, ...] = ()
    """
    Whom EXTERNAL lets in, as patterns of the shell: ``mx1.example.org``, ``*.example.org``. Compared by case, and ``*``
    stands for dots, too. Empty: nobody.
    """

    def __post_init__(self) -> None:
        for name in self.mechanisms:
            if name not in MECHANISMS:
                raise ValueError(f"unknown mechanism {name!r}: there are {', '.join(MECHANISMS)}")


class SaslAuthenticator:
    """
    An `lmtp.protocol.sasl.Authenticator`: EXTERNAL by a list, the others by a file of passwords.

    Args:
        options: What may be offered.
        passwords: The file, loaded; None: EXTERNAL alone.
    """

    def __init__(self, options: SaslOptions, passwords: PasswordFile | None = None) -> None:
        self._options = options
        self._passwords = passwords

    def mechanisms(self, channel: Channel) -> tuple[str, ...]:
        """
        Return the mechanisms a client of this channel may use, best first. Called on the event loop.

        EXTERNAL for those on the list; PLAIN where nobody can listen (RFC 4954 §4); SCRAM where a user could use it,
        -PLUS where there is something to bind to.
        """
        permitted = tuple(name for name in MECHANISMS if self._permits(name, channel))
        # Asked once: the thread that looks may change the answer at any moment, and half a list helps nobody.
        if self._passwords is None or self._passwords.serves_scram:
            return permitted
        self._passwords.look()
        return tuple(name for name in permitted if name not in _SCRAM)

    def begin(self, mechanism: str, channel: Channel) -> Exchange:
        """
        Begin an exchange; it reads the file when it is first stepped.

        Raises:
            LocalProtocolError: the mechanism must not be used on this channel.
        """
        if not self._permits(mechanism, channel):
            raise LocalProtocolError(f"{mechanism} was not offered")
        if mechanism == EXTERNAL:
            return ExternalExchange(channel.external_identity)
        assert self._passwords is not None, "the others are permitted with a file alone"  # noqa: S101
        return _LateExchange(self._passwords, self._maker(mechanism, channel))

    def _maker(self, mechanism: str, channel: Channel) -> Callable[[PasswordTable], Exchange]:
        if mechanism == PLAIN:
            return lambda table: PlainExchange(table.verify)
        # Without an offer of -PLUS, a client that says so is right, and no binding may be asked of it.
        end_point = channel.end_point if self._permits(SCRAM_SHA_256_PLUS, channel) else b""
        return lambda table: ScramExchange(mechanism, table.scram_keys, end_point=end_point)

    def _permits(self, mechanism: str, channel: Channel) -> bool:
        if mechanism not in self._options.mechanisms:
            return False
        if mechanism == EXTERNAL:
            return self._lets_in(channel.external_identity)
        if self._passwords is None:
            return False
        if mechanism == PLAIN:
            return channel.is_encrypted or channel.is_local
        return mechanism == SCRAM_SHA_256 or bool(channel.end_point)

    def _lets_in(self, identity: str) -> bool:
        patterns = self._options.external_identities
        return bool(identity) and any(fnmatchcase(identity, pattern) for pattern in patterns)


class _LateExchange:
    """
    An exchange that is made when it is first stepped: only there may the file be read.
    """

    def __init__(self, passwords: PasswordFile, make: Callable[[PasswordTable], Exchange]) -> None:
        self._passwords = passwords
        self._make = make
        self._exchange: Exchange | None = None

    def step(self, response: bytes | None) -> Step:
        """
        Take the client's response; see `lmtp.protocol.sasl.Exchange`.
        """
        if self._exchange is None:
            try:
                self._exchange = self._make(self._passwords.table())
            except TransientError as error:
                return Rejected(error.status, str(error))
        return self._exchange.step(response)
