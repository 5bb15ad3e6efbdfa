# SPDX-License-Identifier: Apache-2.0
"""
What can be told about the system: every log line and every metric starts as one of these values.

Vocabulary only: nobody here formats, counts or writes. Addresses are text as the peer wrote them, times are
seconds, sizes are octets.
"""

from dataclasses import dataclass

from lmtp.protocol.outcome import Outcome, Refusal
from lmtp.protocol.reply import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerOpened:
    """
    The server takes connections at an endpoint.
    """

    endpoint: str
    """The endpoint as one would write it on the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerClosed:
    """
    The server takes no more connections at an endpoint.
    """

    endpoint: str
    """The endpoint as one would write it on the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    """
    A client connected.
    """

    session_id: str
    """Names the session in every later event."""
    peer: str
    """Its address and port, or ``unix`` and what is known of the process."""
    endpoint: str
    """The endpoint it came to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRefused:
    """
    A client was sent away with the greeting.
    """

    session_id: str
    """Names the session."""
    peer: str
    """Who was sent away."""
    reply: Reply
    """What it was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosed:
    """
    A connection ended, by whomever.
    """

    session_id: str
    """Names the session."""
    reason: str
    """Why: ``quit``, ``client left``, ``shutdown``, or the reply that closed it."""
    doing: str
    """What the session was doing then."""
    transactions: int
    """How many transactions were opened in it."""
    seconds: float
    """How long it lasted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalFailed:
    """
    A connection ended before a word could be said: its PROXY header or its TLS handshake came to nothing.
    """

    session_id: str
    """Names the session there would have been."""
    peer: str
    """Who connected."""
    detail: str
    """What went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsStarted:
    """
    What a client says is encrypted from now on.
    """

    session_id: str
    """Names the session."""
    peer: str
    """Who it is."""
    version: str
    """Such as ``TLSv1.3``."""
    cipher: str
    """The cipher suite, by OpenSSL's name."""
    certificate: str
    """The names in the client's certificate, if it has a verified one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """
    A client proved who it is.
    """

    session_id: str
    """Names the session."""
    peer: str
    """Where it connects from."""
    mechanism: str
    """How."""
    identity: str
    """Whom it acts for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationFailed:
    """
    A client did not prove who it is.
    """

    session_id: str
    """Names the session."""
    peer: str
    """Where it connects from."""
    mechanism: str
    """How it tried."""
    reply: Reply
    """What it was told."""
    detail: str
    """Why it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientReplaced:
    """
    A trusted proxy said whom it stands for.
    """

    session_id: str
    """Names the session."""
    proxy: str
    """The proxy."""
    peer: str
    """The client it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRefused:
    """
    A client said something the protocol does not allow.
    """

    session_id: str
    """Names the session."""
    command: str
    """What it said, printable and cut short."""
    reply: Reply
    """What it was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRefused:
    """
    A message was refused at MAIL, for all its recipients: the client said how big it is.
    """

    session_id: str
    """Names the session."""
    reverse_path: str
    """Whom the message is from."""
    reply: Reply
    """What the client was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientRefused:
    """
    A recipient was not accepted at RCPT.
    """

    session_id: str
    """Names the session."""
    transaction_id: str
    """Names the transaction."""
    reverse_path: str
    """Whom the message is from."""
    forward_path: str
    """Whom it was to go to."""
    verdict: Refusal
    """What was decided, with the detail for the log."""
    reply: Reply
    """What the client was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientSettled:
    """
    An accepted recipient got its reply: the one line everybody greps for.
    """

    session_id: str
    """Names the session."""
    transaction_id: str
    """Names the transaction."""
    reverse_path: str
    """Whom the message is from."""
    forward_path: str
    """Whom it went to."""
    size_bytes: int
    """Octets of the content as received."""
    outcome: Outcome
    """What became of it, with the place or the detail for the log."""
    reply: Reply
    """What the client was told."""
    seconds: float
    """From the end of the content to the outcome."""
    identity: str = ""
    """Whom the client acts for, if it said."""
    origin: str = ""
    """Where the message came from, as a trusted content filter says (XFORWARD)."""
    trace: str = ""
    """What the client calls the message or the session: a traceparent, or a word (TRACE)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionAborted:
    """
    A transaction ended without content to deliver: the client reset it, or left.
    """

    session_id: str
    """Names the session."""
    transaction_id: str
    """Names the transaction."""
    reason: str
    """Why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepliesLost:
    """
    The client closed its side before these replies were sent: perhaps it will try these recipients again (RFC 1047).
    """

    session_id: str
    """Names the session."""
    transaction_id: str
    """Names the transaction."""
    forward_paths: tuple[str, ...]
    """The recipients whose outcome the client does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerFailed:
    """
    The code behind the server raised, hung or forgot somebody; the client was told ``451 4.3.0``.
    """

    session_id: str
    """Names the session."""
    transaction_id: str
    """Names the transaction."""
    doing: str
    """What it was asked to do."""
    error: BaseException
    """What it raised, with its traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """
    Something an operator should know that concerns no session.
    """

    subject: str
    """What it is about, one word or two."""
    detail: str
    """What was found, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draining:
    """
    A shutdown began: open transactions may finish, nothing new is taken.
    """

    sessions: int
    """How many sessions still run."""


Event = (
    ArrivalFailed
    | TlsStarted
    | Authenticated
    | AuthenticationFailed
    | ClientReplaced
    | ListenerOpened
    | ListenerClosed
    | SessionOpened
    | SessionRefused
    | SessionClosed
    | CommandRefused
    | TransactionRefused
    | RecipientRefused
    | RecipientSettled
    | TransactionAborted
    | RepliesLost
    | HandlerFailed
    | Warned
    | Draining
)
"""Everything that can be told."""
