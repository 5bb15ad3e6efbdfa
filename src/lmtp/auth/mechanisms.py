# SPDX-License-Identifier: Apache-2.0
"""
The mechanisms of a single message: PLAIN, and EXTERNAL.

Not here: SCRAM (scram.py), and over which channel a mechanism may be used (authenticator.py). In both the client
speaks first, so one without an initial response is given an empty challenge. Whatever a client sends, an exchange
raises nothing. RFC 4616, RFC 4422 appendix A, RFC 4013.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from lmtp.auth.scram import prepare
from lmtp.protocol.sasl import Authenticated, Challenge, Rejected, Step

PLAIN: Final = "PLAIN"
"""Name and password in clear text (RFC 4616)."""
EXTERNAL: Final = "EXTERNAL"
"""Whoever the channel says it is (RFC 4422 appendix A)."""

MAX_PART_OCTETS: Final = 255
"""As much as RFC 4616 §2 wants accepted, and no more: some hashes take time by the length of the password."""


class PlainExchange:
    """
    ``[authzid] NUL authcid NUL password`` (RFC 4616 §2).

    Names are prepared by RFC 4013, so that all spellings of a name are one identity. The password is handed on as it
    was sent: what has to be done with it depends on what is stored (passwords.py).

    Args:
        verify: Returns whether a prepared user name has this password; takes as long when there is no such user.
    """

    def __init__(self, verify: Callable[[str, str], bool]) -> None:
        self._verify = verify

    def step(self, response: bytes | None) -> Step:
        """
        Take the client's response; see `lmtp.protocol.sasl.Exchange`.
        """
        if response is None:
            return Challenge(b"")
        try:
            message = _parse_plain(response)
        except ValueError as error:
            return Rejected(detail=str(error))
        if self._verify(message.name, message.password):
            return Authenticated(message.name)
        return Rejected(detail=f"{message.name[:60]!r}: unknown, or another password")


class ExternalExchange:
    """
    An empty message, or the authorization identity: the client acts for whom the channel says it is.

    Args:
        identity: Who the client is by means of the channel.
    """

    def __init__(self, identity: str) -> None:
        self._identity = identity

    def step(self, response: bytes | None) -> Step:
        """
        Take the client's response; see `lmtp.protocol.sasl.Exchange`.
        """
        if response is None:
            return Challenge(b"")
        if response in (b"", self._identity.encode("utf-8", "surrogateescape")):
            return Authenticated(self._identity)
        return Rejected(detail=f"{self._identity} may not act for {response[:60]!r}")


class _Plain(NamedTuple):
    """
    What a PLAIN message says.
    """

    name: str
    password: str


def _parse_plain(response: bytes) -> _Plain:
    """
    Parse a PLAIN message.

    Raises:
        ValueError: it is none, or the client asks to act for somebody else; the text holds no password.
    """
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise ValueError(f"{len(parts)} parts instead of 3")
    if max(map(len, parts)) > MAX_PART_OCTETS:
        raise ValueError(f"a part is longer than {MAX_PART_OCTETS} octets")
    try:
        authzid, authcid, password = (part.decode("utf-8") for part in parts)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None  # the error itself would hold the password
    if not password:
        raise ValueError("no password")
    name = prepare(authcid, "authcid")
    if authzid and prepare(authzid, "authzid") != name:
        raise ValueError(f"{name[:60]!r} may not act for {authzid[:60]!r}")
    return _Plain(name, password)
