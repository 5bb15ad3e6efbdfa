# SPDX-License-Identifier: Apache-2.0
"""
What becomes of a recipient: accepted at RCPT, then delivered, deferred or failed.

A closed union of values and one function that turns each into its reply; whoever decides returns one of
these and never writes a reply. RFC 2033 §4.2, RFC 3463; the pairs of codes are RFC 1870 §6's and 5321 §4.2's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from lmtp.protocol.errors import DeliveryError, PermanentError
from lmtp.protocol.reply import RECIPIENT_OK, Reply
from lmtp.protocol.status import EnhancedStatus

CODES: Final[Mapping[str, int]] = {
    "4.2.1": 450,
    "4.2.2": 452,
    "4.3.1": 452,
    "4.5.3": 452,
    "5.1.3": 553,
    "5.1.4": 553,
    "5.2.2": 552,
    "5.2.3": 552,
    "5.3.0": 554,
    "5.3.4": 552,
    "5.3.5": 554,
    "5.4.6": 554,
    "5.4.7": 554,
    "5.5.1": 503,
    "5.6.0": 554,
    "5.6.7": 553,
    "5.6.9": 554,
}
"""The basic code that goes with an enhanced one; all others are 250, 451 or 550."""

_DEFAULT_CODES: Final = {2: 250, 4: 451, 5: 550}


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    The recipient may have the message.
    """

    account: object = None
    """Whatever the one who accepted wants to find again at delivery, on ``Recipient.account``."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """
    The message is on stable storage for this recipient: we answer for it from now on (RFC 2033 §4.2).
    """

    where: str = ""
    """Where it went, for the log; the peer never sees it."""
    status: str = "2.0.0"
    """The enhanced status, class 2."""
    phrase: str = "Delivered"
    """What the peer is told."""

    def __post_init__(self) -> None:
        _check(self.status, 2)


@dataclass(frozen=True, slots=True)
class Deferred:
    """
    Not now: the client keeps the message for this recipient and tries again.
    """

    status: str = "4.3.0"
    """The enhanced status, class 4."""
    phrase: str = ""
    """What the peer is told; empty means the fixed phrase of the status."""
    detail: str = ""
    """Why, for the log; the peer never sees it."""

    def __post_init__(self) -> None:
        _check(self.status, 4)


@dataclass(frozen=True, slots=True)
class Failed:
    """
    Never: the client gives up on this recipient and tells the sender.
    """

    status: str = "5.0.0"
    """The enhanced status, class 5."""
    phrase: str = ""
    """What the peer is told; empty means the fixed phrase of the status."""
    detail: str = ""
    """Why, for the log; the peer never sees it."""

    def __post_init__(self) -> None:
        _check(self.status, 5)


Verdict = Accepted | Deferred | Failed
"""What may be said of a recipient at RCPT."""
Outcome = Delivered | Deferred | Failed
"""What may be said of a recipient after the content."""
Refusal = Deferred | Failed
"""What both have in common."""


def _check(status: str, category: int) -> None:
    if EnhancedStatus(status).category != category:
        raise ValueError(f"{status} is not of class {category}")


def reply_for(decision: Verdict | Outcome, forward_path: str = "") -> Reply:
    """
    Return the reply that tells the client of a decision.

    Args:
        decision: What was decided.
        forward_path: The recipient it concerns, as the client wrote it with its brackets;
            echoed, so that an administrator who reads a transcript sees whose reply it is. Empty when the
            decision concerns a whole message.
    """
    match decision:
        case Accepted():
            return RECIPIENT_OK
        case Delivered() | Deferred() | Failed():
            status = EnhancedStatus(decision.status)
            code = CODES.get(status, _DEFAULT_CODES[status.category])
            return Reply(code, status, f"{forward_path} {decision.phrase or status.meaning}".lstrip())
        case _:
            assert_never(decision)


def refusal_for(error: DeliveryError) -> Refusal:
    """
    Return the outcome that a driver's error stands for: its status for the peer, its text for the log.
    """
    if isinstance(error, PermanentError):
        return Failed(error.status, detail=str(error))
    return Deferred(error.status, detail=str(error))
