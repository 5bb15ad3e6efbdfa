# SPDX-License-Identifier: Apache-2.0
"""
What an engine reports, in the order in which it happened.

Frozen values; whoever binds the engine to a transport acts on them. Same octets, same events, however they were cut
into pieces; only how many `ContentReceived` carry a content may differ, and how much of one that is refused.
"""

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
    | SessionEnded
)
"""Everything an engine reports."""
