# SPDX-License-Identifier: Apache-2.0
"""
Many recipients in as few transactions as a server allows: those it had no room for are asked for again in the next.

Not here: the transactions. Pure. RFC 5321 §4.5.3.1.10, RFC 9422 §4.2.
"""

from collections.abc import Callable

from lmtp.protocol.outcome import Deferred
from lmtp.protocol.results import Point, Result


class Spread:
    """
    The recipients of one message, and which of them still have to be asked for.

    Args:
        count: How many there are.
        most: How many one transaction may have; None: as far as is known, any number.
        told: Called with the index and the result of each, as soon as it is final.
    """

    def __init__(self, count: int, most: int | None, told: Callable[[int, Result], None]) -> None:
        self._results: list[Result | None] = [None] * count
        self._left = list(range(count))
        self._most = most or count
        self._told = told
        self._asked: list[int] = []
        self._refused: dict[int, Result] = {}
        self._has_got_through = False
        self.is_whole = self._most >= count
        """What is asked for next is everybody."""

    @property
    def results(self) -> list[Result]:
        """
        All results, in the order of the recipients, once there is no further part.
        """
        return [result for result in self._results if result is not None]

    def next_part(self) -> list[int]:
        """
        Return the indexes of those to ask for in the next transaction; none when all have their results.
        """
        self._asked, self._left = self._left[: self._most], self._left[self._most :]
        self._refused, self._has_got_through = {}, False
        return self._asked

    def take(self, number: int, result: Result) -> None:
        """
        Take the result of one of the part; one for whom there was just no room waits for the next transaction.
        """
        if is_one_too_many(result):
            self._refused[self._asked[number]] = result
        else:
            self._has_got_through = self._has_got_through or result.point is not Point.RCPT
            self.take_as_final(number, result)

    def take_as_final(self, number: int, result: Result) -> None:
        """
        Take a result as it is.
        """
        self._settle(self._asked[number], result)

    def end_part(self) -> None:
        """
        Note that the transaction is over: those who found no room are asked for again, if somebody else did.
        """
        self.is_whole = False
        if self._has_got_through:
            self._left = sorted([*self._refused, *self._left])
            return
        for index, result in self._refused.items():
            self._settle(index, result)

    def _settle(self, index: int, result: Result) -> None:
        self._results[index] = result
        self._told(index, result)


def is_one_too_many(result: Result) -> bool:
    """
    Tell whether a server has no room for a recipient in this transaction, and might have in the next.
    """
    is_refused = result.point is Point.RCPT and isinstance(result.outcome, Deferred)
    has_no_other_reason = result.outcome.status in ("4.5.3", "4.0.0")
    return is_refused and has_no_other_reason and result.reply is not None and result.reply.code in (452, 552)
