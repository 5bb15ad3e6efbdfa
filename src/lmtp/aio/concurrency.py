# SPDX-License-Identifier: Apache-2.0
"""
How many messages a server gets at a time: as many as make it faster, and no more.

A store that commits in groups answers later and does more when it has more to do at once, up to a point; behind it
messages only queue. That point moves, so it is felt for: with a few more under way, does the server do more messages a
second, by at least a quarter of what one could hope for? With a few less, does it do noticeably less? Latency alone
can't tell, for it grows on both sides of that point. A server that says it has too much gets half.
Pure: time comes from the caller.
"""

from typing import Final

_SAMPLE_SECONDS: Final = 0.05
_GAIN: Final = 0.25
_LOSS: Final = 0.125
_REST: Final = 16
_WEIGHT: Final = 0.1


class Concurrency:
    """
    The number of messages that may be under way at a time.

    Args:
        most: The greatest number.
    """

    def __init__(self, most: int) -> None:
        self.limit = min(2, most)
        """How many may be under way now."""
        self.latency_seconds = 0.0
        """How long an answer takes, as a moving average."""
        self._most = most
        self._answers = 0
        self._since: float | None = None
        self._before: tuple[int, float] | None = None
        self._direction = 1
        self._rest = 0

    def answered(self, seconds: float, under_way: int, now: float) -> None:
        """
        Note that a message was answered.

        Args:
            seconds: How long it took, from MAIL to the last reply.
            under_way: How many messages were under way: while fewer are than may be, nothing is learnt of the limit.
            now: When, in seconds, by a clock that never goes back.
        """
        self.latency_seconds += (seconds - self.latency_seconds) * (_WEIGHT if self.latency_seconds else 1.0)
        if under_way < self.limit or self._since is None:
            self._begin(now)
            return
        self._answers += 1
        if self._answers >= 4 * self.limit and now - self._since >= _SAMPLE_SECONDS:
            self._judge(self._answers / (now - self._since))
            self._begin(now)

    def refused(self) -> None:
        """
        Note that the server has too much to do: it said 4yz before it looked at any recipient.
        """
        self.limit = max(1, self.limit // 2)
        self._before, self._since, self._rest = None, None, _REST

    def _begin(self, now: float) -> None:
        self._answers, self._since = 0, now

    def _judge(self, rate: float) -> None:
        """
        Keep a limit that was tried, or go back; then try another, or rest.
        """
        if self._before is not None:
            self._keep_or_go_back(*self._before, rate)
        elif self._rest:
            self._rest -= 1
        else:
            self._try(rate)

    def _keep_or_go_back(self, limit: int, rate_before: float, rate: float) -> None:
        hoped_for = (self.limit / limit - 1) * (_GAIN if self.limit > limit else _LOSS)
        self._before = None
        if rate >= rate_before * (1 + hoped_for):
            self._try(rate)
            return
        self.limit = limit
        # First more is tried, then less, and then nothing for a while.
        self._rest = _REST if self._direction < 0 else 0
        self._direction = -self._direction

    def _try(self, rate: float) -> None:
        tried = self.limit + self._direction * max(1, self.limit // 4)
        tried = max(1, min(self._most, tried))
        if tried == self.limit:
            self._direction = -self._direction
            self._rest = _REST
        else:
            self._before = (self.limit, rate)
            self.limit = tried
