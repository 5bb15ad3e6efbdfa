# SPDX-License-Identifier: Apache-2.0
"""
What a client has yet to say, what it has said and not sent, and the replies it is owed for what it sent.

Commands leave in their order: several together where the server offers PIPELINING, else one by one; and none passes the
content of a transaction. Not here: what a command or its reply means (client.py). Raises nothing.
RFC 2920 §3.1, RFC 3030 §4.2.
"""

from collections import deque
from typing import Final, NamedTuple

from lmtp.protocol.client_transaction import ClientTransaction
from lmtp.protocol.results import Point

# Behind these more may be sent before the reply is there (RFC 2920 §3.1).
_PIPELINED: Final = frozenset({Point.MAIL, Point.RCPT, Point.RSET, Point.XFORWARD})
# These are not sent any more once their transaction is over.
_OF_TRANSACTION: Final = frozenset({Point.MAIL, Point.RCPT, Point.DATA})


class Owed(NamedTuple):
    """
    A reply that will come.
    """

    point: Point
    """What it answers."""
    transaction: ClientTransaction | None = None
    """Whose transaction it belongs to; None: it belongs to the session."""
    number: int = 0
    """Which recipient it is about, as an index, if it is about one."""


class _Waiting(NamedTuple):
    """
    A command that waits to be sent; without octets it is a gate, and what is behind it waits for a content.
    """

    octets: bytes
    owed: Owed


class Plan:
    """
    The order of one session's commands and replies.
    """

    def __init__(self) -> None:
        self.owed: deque[Owed] = deque([Owed(Point.GREETING)])
        """The replies that will come, in their order."""
        self.pipelines = False
        """Commands may be sent before those in front of them are answered."""
        self._waiting: deque[_Waiting] = deque()
        self._output = bytearray()
        self._may_follow = False

    @property
    def awaits(self) -> Point | None:
        """
        What the next reply will answer; None when none is owed.
        """
        return self.owed[0].point if self.owed else None

    def point_of(self, transaction: ClientTransaction) -> Point:
        """
        Return what a transaction waits for: the first of its replies, its content, or its turn.
        """
        if (owed := next((each for each in self.owed if each.transaction is transaction), None)) is not None:
            return owed.point
        return Point.CONTENT if transaction.content_is_wanted else Point.MAIL

    @property
    def is_idle(self) -> bool:
        """
        Nothing waits to be sent, and every reply has come.
        """
        return not (self.owed or self._waiting)

    @property
    def transactions(self) -> list[ClientTransaction]:
        """
        The transactions that have replies or commands outstanding, each once, in their order.
        """
        found = [owed.transaction for owed in self.owed] + [each.owed.transaction for each in self._waiting]
        return [transaction for transaction in dict.fromkeys(found) if transaction is not None]

    def add(self, octets: bytes, owed: Owed) -> None:
        """
        Put a command behind all others; `proceed` sends it as soon as it may be sent.
        """
        self._waiting.append(_Waiting(octets, owed))

    def wait_for_content(self, transaction: ClientTransaction) -> None:
        """
        Let whatever is added from now on wait until the content has been sent, or the transaction is over without it.
        """
        self._waiting.append(_Waiting(b"", Owed(Point.CONTENT, transaction)))

    def proceed(self) -> None:
        """
        Send what may be sent now: all that may follow each other, or the first of those that must be answered first.
        """
        while self._waiting and self._may_go(self._waiting[0].owed):
            octets, owed = self._waiting.popleft()
            is_void = owed.point in _OF_TRANSACTION and owed.transaction is not None and owed.transaction.is_over
            if octets and not is_void:
                self._output += octets
                self.owed.append(owed)
                self._may_follow = self.pipelines and owed.point in _PIPELINED

    def _may_go(self, owed: Owed) -> bool:
        if owed.point is Point.CONTENT and owed.transaction is not None:
            return owed.transaction.is_past_content
        if self.awaits is Point.CONTENT and owed.point is Point.MAIL and owed.transaction is not None:
            return self._may_follow and owed.transaction.notices_surplus
        return self._may_follow or not self.owed

    def write(self, octets: bytes) -> None:
        """
        Send a piece of a content.
        """
        self._output += octets

    def owe_content(self, transaction: ClientTransaction) -> None:
        """
        Note that the content of a transaction is on its way: its replies are owed, and the gate behind it is open.
        """
        self.owed += [Owed(Point.CONTENT, transaction, number) for number in transaction.replies_to_content]
        # A server that answers once for all recipients, as many do, would have its reply to the next command taken for
        # that of another recipient; one that answers for those too whom it refused, the other way round. So something
        # follows a content only where one reply is all there can be.
        self._may_follow = self.pipelines and transaction.is_answered_once

    def take_octets(self) -> bytes:
        """
        Return what is to be sent, once.
        """
        octets = bytes(self._output)
        self._output.clear()
        return octets

    def forget_waiting(self) -> None:
        """
        Send none of what waits.
        """
        self._waiting.clear()

    def end(self) -> None:
        """
        Send nothing more that waits, and expect no reply.
        """
        self._waiting.clear()
        self.owed.clear()
