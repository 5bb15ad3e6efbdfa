# SPDX-License-Identifier: Apache-2.0
"""
What a client's engine reports, in the order in which it happened. Frozen values.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result

if TYPE_CHECKING:
    from lmtp.protocol.client_transaction import ClientTransaction


@dataclass(frozen=True, slots=True)
class ReplyReceived:
    """
    A command outside of transactions was answered, or the greeting came.
    """

    point: Point
    """What was answered."""
    reply: Reply
    """The answer."""


@dataclass(frozen=True, slots=True)
class ContentWanted:
    """
    The server will take the content: call `ClientConnection.send_content`, until it is complete.
    """

    transaction: "ClientTransaction"
    """Whose content."""


@dataclass(frozen=True, slots=True)
class ChunkTaken:
    """
    The server has taken a chunk that was not the last (RFC 3030 §2).
    """

    transaction: "ClientTransaction"
    """Whose chunk."""


@dataclass(frozen=True, slots=True)
class RecipientResolved:
    """
    A recipient has its result: act on it now, for a later one may never come (RFC 2033 §5).
    """

    transaction: "ClientTransaction"
    """Which transaction."""
    index: int
    """Which of the envelope's recipients, from 0."""
    result: Result
    """What became of it."""


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """
    Every recipient of the envelope has its result.
    """

    transaction: "ClientTransaction"
    """Which transaction."""


@dataclass(frozen=True, slots=True)
class SessionLost:
    """
    Nothing more can be said or heard on this connection: send what there is to send, close it, never use it again.
    """

    why: str
    """What happened, for the log: ``2 of 3 replies came, then …``."""
    is_fault: bool
    """The server broke the protocol; else it, or the network, just ended the session."""


ClientEvent = ReplyReceived | ContentWanted | ChunkTaken | RecipientResolved | TransactionEnded | SessionLost
"""Everything a client's engine reports."""
