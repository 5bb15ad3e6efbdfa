# SPDX-License-Identifier: Apache-2.0
"""
What a client knows in the end of each recipient: the outcome, the reply it rests on, and where in the dialogue it came.

One function says what a reply means at each point; it is the whole of a client's decisions. Pure.
RFC 2033 §4.2 and §5, RFC 5321 §4.2.1, §4.2.5 and §4.5.3.1.10.
"""

import enum
from dataclasses import dataclass
from typing import Final

from lmtp.protocol.address import ForwardPath
from lmtp.protocol.outcome import Deferred, Delivered, Failed, Outcome, Refusal
from lmtp.protocol.reply import Reply


class Point(enum.Enum):
    """
    A point of the dialogue: which reply the client waits for, or what decided.
    """

    GREETING = "the greeting"
    """Before anything was said (RFC 5321 §3.1)."""
    LHLO = "the reply to LHLO"
    """Also EHLO and HELO."""
    STARTTLS = "the reply to STARTTLS"
    """RFC 3207 §4."""
    AUTH = "the reply to AUTH"
    """Each challenge too (RFC 4954 §4)."""
    XCLIENT = "the reply to XCLIENT"
    """The client we speak for."""
    XFORWARD = "the reply to XFORWARD"
    """Where the next message comes from."""
    MAIL = "the reply to MAIL"
    """Decides for all recipients."""
    RCPT = "the reply to RCPT"
    """Decides for one recipient when it is negative."""
    DATA = "the reply to DATA"
    """354, or what decides for all accepted recipients."""
    CHUNK = "the reply to BDAT"
    """A chunk that is not the last (RFC 3030 §2)."""
    CONTENT = "the reply to the content"
    """One for each accepted recipient (RFC 2033 §4.2)."""
    RSET = "the reply to RSET"
    """Ends a transaction that came to nothing."""
    NOOP = "the reply to NOOP"
    """Shows that somebody is there."""
    VRFY = "the reply to VRFY"
    """Asks for a mailbox."""
    QUIT = "the reply to QUIT"
    """Whatever it says, the session is over."""
    CLIENT = "nothing the server said"
    """Decided on our side: the server can't take such a message, as its offers show."""


_SESSION: Final = frozenset({Point.GREETING, Point.LHLO, Point.STARTTLS, Point.AUTH, Point.XCLIENT, Point.XFORWARD})
"""Where 5yz says that something is set up wrongly and nothing about a recipient: no mail is returned for it."""


_FINAL: Final = frozenset({2, 4, 5})
_DIGITS: Final = {Point.DATA: frozenset({3, 4, 5}), Point.AUTH: frozenset({2, 3, 4, 5})}
"""With which digits the answers may begin; where nothing is said all of them are final."""


@dataclass(frozen=True, slots=True)
class Result:
    """
    What became of one recipient of one transaction.
    """

    forward_path: ForwardPath
    """Whom it is about."""
    outcome: Outcome
    """Delivered, Deferred or Failed."""
    point: Point
    """Where it was decided; when nobody answered, what was waited for."""
    reply: Reply | None = None
    """The reply it rests on; None when none came, or when the client decided."""

    @property
    def is_delivered(self) -> bool:
        """
        The server answers for the message from now on; the client must forget this recipient (RFC 2033 §4.2).
        """
        return isinstance(self.outcome, Delivered)

    @property
    def is_deferred(self) -> bool:
        """
        The client is to try again later.
        """
        return isinstance(self.outcome, Deferred)

    @property
    def is_failed(self) -> bool:
        """
        The client is to tell the sender and not to try again.
        """
        return isinstance(self.outcome, Failed)

    def __str__(self) -> str:
        name = type(self.outcome).__name__.lower()
        said = self.reply or f"{self.outcome.status} {_words(self.outcome)}".rstrip()
        return f"{self.forward_path} {name} by {self.point.value}: {said}"


def _words(outcome: Outcome) -> str:
    return outcome.phrase if isinstance(outcome, Delivered) else outcome.detail or outcome.phrase


def may_answer(reply: Reply, point: Point) -> bool:
    """
    Whether a server that keeps in step could say this at a point (RFC 5321 §4.3.2); only DATA and AUTH ask for more.
    """
    return reply.code // 100 in _DIGITS.get(point, _FINAL)


def outcome_of(reply: Reply, point: Point) -> Outcome:
    """
    Say what a final reply means for the recipients it is about.

    The first digit decides (RFC 5321 §4.3.2). 552 with 5.5.3 in the answer to RCPT means too many recipients and not
    too much mail, so it is transient (RFC 5321 §4.5.3.1.10); other 552 are permanent, or they would be tried for ever.

    Args:
        reply: A reply of 2yz, 4yz or 5yz.
        point: What it answers.
    """
    category = reply.code // 100
    status = reply.status or f"{category}.0.0"
    if category == 2:
        return Delivered(status=status, phrase=reply.text)
    if category == 4:
        return Deferred(status, reply.text)
    if point in _SESSION or (point is Point.RCPT and reply.code == 552 and status == "5.5.3"):
        return Deferred("4" + status[1:], reply.text, f"{reply.code} taken as transient")
    return Failed(status, reply.text)


def lost(why: str) -> Refusal:
    """
    Return the outcome of a recipient whose reply never came (RFC 2033 §5, RFC 5321 §3.8).

    Args:
        why: What happened to the connection, for the log.
    """
    return Deferred("4.4.2", detail=why)
