# SPDX-License-Identifier: Apache-2.0
"""
SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: the client shows that it knows a password, and never sends it.

The only module that knows scramp. Not here: whose keys they are (password_table.py), and base64 of whole messages
(protocol/). Called by passwords.py for keys and by authenticator.py for exchanges, on threads: keys take a millisecond
or more. Whatever a client sends, an exchange raises nothing. RFC 5802, RFC 7677, RFC 5929 §4, RFC 4013.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from scramp import ScramClient, ScramException, ScramMechanism  # type: ignore[import-untyped]
from scramp.utils import saslprep  # type: ignore[import-untyped]

from lmtp.protocol.credentials import AuthenticationError
from lmtp.protocol.sasl import Authenticated, Challenge, Rejected, Step

SCRAM_SHA_256: Final = "SCRAM-SHA-256"
"""The mechanism without a channel binding (RFC 7677 §3)."""
SCRAM_SHA_256_PLUS: Final = "SCRAM-SHA-256-PLUS"
"""The mechanism that fails when somebody sits between client and server with a certificate of their own."""

MIN_ITERATIONS: Final = 4096
"""Fewer make guessing too cheap for whoever got hold of the keys (RFC 7677 §4)."""
MAX_ITERATIONS: Final = 10_000_000
"""More keep a thread busy for seconds at every attempt."""
MAX_ITERATIONS_OF_SERVERS: Final = 1_000_000
"""As a client we compute on the event loop: more would hold it up for half a second and longer."""
MIN_SALT_OCTETS: Final = 12
"""Shorter salts repeat among users."""
_KEY_OCTETS: Final = 32
_ITERATIONS: Final = re.compile(r",i=([0-9]{1,9})(?:,|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScramKeys:
    """
    What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3).

    Raises:
        ValueError: a number is out of bounds or a key has not the length of SHA-256.
    """

    salt: bytes
    """What the password was salted with; every client that asks is told."""
    iterations: int
    """How often it was hashed; every client that asks is told."""
    stored_key: bytes = field(repr=False)
    """What a client's proof is checked against."""
    server_key: bytes = field(repr=False)
    """What proves the server to the client."""

    def __post_init__(self) -> None:
        if not MIN_ITERATIONS <= self.iterations <= MAX_ITERATIONS:
            raise ValueError(f"the iteration count must be from {MIN_ITERATIONS} to {MAX_ITERATIONS}")
        if len(self.salt) < MIN_SALT_OCTETS:
            raise ValueError(f"the salt must have {MIN_SALT_OCTETS} octets or more")
        if len(self.stored_key) != _KEY_OCTETS or len(self.server_key) != _KEY_OCTETS:
            raise ValueError(f"the keys must have {_KEY_OCTETS} octets")


def prepare(text: str, noun: str) -> str:
    """
    Return a user name or a password in its prepared form: compatible spellings become one (RFC 4013).

    Code points that Unicode 3.2 does not know are refused, in names that are asked for as in those that are stored:
    scramp does the same, and a name that one mechanism knows must not be a stranger to the other.

    Args:
        text: As it was sent or stored.
        noun: What it is, for the error; that never holds the text.

    Raises:
        ValueError: it holds what RFC 4013 §2.3 to §2.5 forbids, or nothing is left of it.
    """
    try:
        prepared = str(saslprep(text))
    except ScramException as error:
        raise ValueError(f"{noun}: {error.args[0]} (RFC 4013)") from None
    if not prepared:
        raise ValueError(f"{noun}: empty")
    return prepared


def derive_keys(prepared: str, salt: bytes, iterations: int) -> ScramKeys:
    """
    Return the keys of a prepared password; 4096 iterations take a millisecond or two, without the interpreter's lock.

    Not by scramp, which would prepare the password once more, in a time that tells how long it is.

    Raises:
        ValueError: a number is out of bounds.
    """
    salted = hashlib.pbkdf2_hmac("sha256", prepared.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return ScramKeys(
        salt=salt,
        iterations=iterations,
        stored_key=hashlib.sha256(client_key).digest(),
        server_key=hmac.digest(salted, b"Server Key", "sha256"),
    )


class ScramExchange:
    """
    One attempt: client-first, server-first, client-final, server-final, and an empty response at the end.

    SMTP has no room for server-final beside 235, so it is one more challenge, and the client's answer to it is empty
    (RFC 4422 §3.6). A client that asks to act for somebody else is rejected, and so is one that says it could bind to
    the channel but was not offered to, when it was: somebody took the -PLUS out of the list (RFC 5802 §6).

    Args:
        mechanism: `SCRAM_SHA_256` or `SCRAM_SHA_256_PLUS`.
        find_keys: Returns the keys of a prepared user name; for nobody's name those that no password fits.
        end_point: The channel binding ``tls-server-end-point``, if -PLUS was offered; empty if not.
        server_nonce: Our part of the nonce, for tests; None: a fresh one.
    """

    def __init__(
        self,
        mechanism: str,
        find_keys: Callable[[str], ScramKeys],
        *,
        end_point: bytes = b"",
        server_nonce: str | None = None,
    ) -> None:
        self._find_keys = find_keys
        self._identity = ""
        binding = ("tls-server-end-point", end_point) if end_point else None
        self._server = ScramMechanism(mechanism).make_server(self._answer_for, binding, server_nonce)
        self._take = self._take_client_first

    def step(self, response: bytes | None) -> Step:
        """
        Take the client's response; see `lmtp.protocol.sasl.Exchange`.
        """
        if response is None:
            return Challenge(b"")
        try:
            return self._take(response.decode("utf-8"))
        except (ScramException, ValueError) as error:
            # One status for them all: the peer does not learn whether the name, the proof or the binding was wrong.
            return Rejected(detail=f"{self._identity[:60]!r}: {error}" if self._identity else str(error))

    def _answer_for(self, name: str) -> tuple[bytes, bytes, bytes, int]:
        self._identity = name
        keys = self._find_keys(name)
        return keys.salt, keys.stored_key, keys.server_key, keys.iterations

    def _take_client_first(self, message: str) -> Step:
        self._server.set_client_first(message)
        self._take = self._take_client_final
        return Challenge(self._server.get_server_first().encode("ascii"))

    def _take_client_final(self, message: str) -> Step:
        self._server.set_client_final(message)
        self._take = self._take_empty
        return Challenge(self._server.get_server_final().encode("ascii"))

    def _take_empty(self, message: str) -> Step:
        self._take = self._take_client_first  # whatever comes now is too late, and scramp says so
        if message:
            raise ValueError("the response to server-final is not empty")
        return Authenticated(self._identity)


class ScramClientExchange:
    """
    The client's side of one attempt: see `lmtp.protocol.credentials.ClientExchange`.

    The server has to prove that it knows the password too; without that proof a 235 counts for nothing.

    Args:
        mechanism: `SCRAM_SHA_256` or `SCRAM_SHA_256_PLUS`.
        user: The user's name.
        password: The password.
        end_point: The channel binding ``tls-server-end-point``; empty: there is none. Without -PLUS the server is told
            that we could have, so that it notices when somebody took -PLUS out of its list (RFC 5802 §6).
        client_nonce: Our part of the nonce, for tests; None: a fresh one.

    Raises:
        AuthenticationError: the name or the password holds what RFC 4013 forbids.
    """

    def __init__(
        self, mechanism: str, user: str, password: str, *, end_point: bytes = b"", client_nonce: str | None = None
    ) -> None:
        binding = ("tls-server-end-point", end_point) if end_point else None
        try:
            self._client = ScramClient([mechanism], user, password, binding, client_nonce)
            self.initial_response: bytes | None = self._client.get_client_first().encode()
        except ScramException as error:
            raise AuthenticationError(str(error.args[0])) from None
        self._take = self._take_server_first
        self._has_proof = False

    def respond(self, challenge: bytes) -> bytes:
        """
        Answer a challenge.

        Raises:
            AuthenticationError: it is not of this exchange, asks for too much or too little work, or proves nothing.
        """
        try:
            return self._take(challenge.decode("utf-8"))
        except (ScramException, ValueError) as error:
            raise AuthenticationError(str(error)) from error

    def finish(self) -> None:
        """
        Note that the server has accepted.

        Raises:
            AuthenticationError: it has not proved that it knows the password.
        """
        if not self._has_proof:
            raise AuthenticationError("the server has not proved that it knows the password")

    def _take_server_first(self, message: str) -> bytes:
        iterations = _ITERATIONS.search(message)
        if iterations is None or not MIN_ITERATIONS <= int(iterations[1]) <= MAX_ITERATIONS_OF_SERVERS:
            raise ValueError(f"no iteration count from {MIN_ITERATIONS} to {MAX_ITERATIONS_OF_SERVERS}")
        self._client.set_server_first(message)
        self._take = self._take_server_final
        return str(self._client.get_client_final()).encode()

    def _take_server_final(self, message: str) -> bytes:
        self._client.set_server_final(message)
        self._has_proof = True
        return b""
