# SPDX-License-Identifier: Apache-2.0
"""
What an engine reports, in the order in which it happened.

Frozen values; whoever binds the engine to a transport acts on them. Same octets, same events, however they were cut
into pieces; only how many `ContentReceived` carry a content may differ, and how much of one that is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lmtp.protocol.address import ReversePath
from lmtp.protocol.envelope import Envelope, Recipient
from lmtp.protocol.outcome import Refusal
from lmtp.protocol.reply import Reply


@dataclass(frozen=True, slots=True)
class ClientGreeted:
    """
    The client said who it is.
    """

    client_name: str
    """A domain or an address literal; not checked against anything (RFC 5321 §4.1.4)."""


@dataclass(frozen=True, slots=True)
class TransactionOpened:
    """
    MAIL was accepted.
    """

    envelope: Envelope
    """The envelope, without recipients yet."""


@dataclass(frozen=True, slots=True)
class TransactionRefused:
    """
    MAIL was well-formed and in its place, and not granted.
    """

    reverse_path: ReversePath
    """Whom the message is from."""
    reply: Reply
    """What the client was told."""


@dataclass(frozen=True, slots=True)
class RecipientOffered:
    """
    A well-formed RCPT came: call `ServerConnection.decide`, now or later, in any order.
    """

    recipient: Recipient
    """Whom it is about."""


@dataclass(frozen=True, slots=True)
class RecipientDecided:
    """
    A recipient got the reply to its RCPT.
    """

    recipient: Recipient
    """Whom it is about, with the verdict."""
    reply: Reply
    """What the client is told."""


@dataclass(frozen=True, slots=True)
class RecipientSettled:
    """
    An accepted recipient got its reply to the content.
    """

    recipient: Recipient
    """Whom it is about, with the outcome."""
    reply: Reply
    """What the client is told; in SMTP one reply speaks for all."""


@dataclass(frozen=True, slots=True)
class ContentStarted:
    """
    The client was told to send the content.
    """

    envelope: Envelope
    """The envelope; its recipients are complete."""


@dataclass(frozen=True, slots=True)
class ContentReceived:
    """
    A piece of the content came.
    """

    octets: bytes
    """The octets, dot transparency undone."""


@dataclass(frozen=True, slots=True)
class ContentCompleted:
    """
    The content is complete: settle every recipient of the envelope.
    """

    envelope: Envelope
    """The envelope, with its size."""


@dataclass(frozen=True, slots=True)
class ContentRefused:
    """
    The content came to its end and was refused as a whole; every recipient has been settled with the same outcome.
    """

    envelope: Envelope
    """The envelope."""
    refusal: Refusal
    """Why, and what each recipient's reply says."""


@dataclass(frozen=True, slots=True)
class TransactionAnswered:
    """
    Every accepted recipient has its outcome: the transaction is over.
    """

    envelope: Envelope
    """The envelope."""


@dataclass(frozen=True, slots=True)
class TransactionAborted:
    """
    A transaction ended before its content did.
    """

    envelope: Envelope
    """The envelope."""
    reason: str
    """Why, in a word or two."""


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """
    A line was refused for its syntax or its place.
    """

    line: bytes
    """The line, cut short; empty when it was too long or badly ended to be one."""
    reply: Reply
    """What the client was told."""


@dataclass(frozen=True, slots=True)
class TlsRequested:
    """
    The client was told to begin the handshake: send what there is to send, do it, call `ServerConnection.tls_started`.
    """


@dataclass(frozen=True, slots=True)
class AuthenticationStarted:
    """
    The client wants to prove who it is: answer with `ServerConnection.authenticate`.
    """

    mechanism: str
    """The SASL mechanism, one of those offered."""
    response: bytes | None
    """The initial response; None when there was none."""


@dataclass(frozen=True, slots=True)
class AuthenticationContinued:
    """
    The client responded to a challenge: answer with `ServerConnection.authenticate`.
    """

    response: bytes
    """What it said."""


@dataclass(frozen=True, slots=True)
class AuthenticationEnded:
    """
    The exchange is over.
    """

    mechanism: str
    """The SASL mechanism."""
    identity: str
    """Whom the client acts for; empty when it failed or was given up."""
    reply: Reply
    """What the client was told."""
    detail: str = ""
    """Why it failed, for the log."""


@dataclass(frozen=True, slots=True)
class ClientReplaced:
    """
    XCLIENT: the peer is a proxy, and the session begins anew for the client it stands for.
    """

    attributes: Mapping[str, str | None]
    """What it said of the client, by name in capitals; None for what it does not know."""


@dataclass(frozen=True, slots=True)
class ClientForwarded:
    """
    XFORWARD: where the next message comes from, for the log and nothing else.
    """

    attributes: Mapping[str, str | None]
    """What was said, by name in capitals; None for what is not known."""


@dataclass(frozen=True, slots=True)
class SessionTraced:
    """
    TRACE: what the client wants the log to call the session besides.
    """

    trace_id: str
    """A printable word."""


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """
    Send what there is to send, then close the connection.
    """

    reason: str
    """Why: ``quit``, ``client left`` or the reply that closed it."""


Event = (
    ClientGreeted
    | TransactionOpened
    | TransactionRefused
    | RecipientOffered
    | RecipientDecided
    | ContentStarted
    | ContentReceived
    | ContentCompleted
    | ContentRefused
    | RecipientSettled
    | TransactionAnswered
    | TransactionAborted
    | CommandRefused
    | TlsRequested
    | AuthenticationStarted
    | AuthenticationContinued
    | AuthenticationEnded
    | ClientReplaced
    | ClientForwarded
    | SessionTraced
    | SessionEnded
)
"""Everything an engine reports."""
