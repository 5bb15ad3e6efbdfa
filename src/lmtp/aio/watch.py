# SPDX-License-Identifier: Apache-2.0
"""
The deadlines of one connection: one timer, moved on when it rings too early, so that activity costs nothing.

Called by connection.py, which says what it waits for and what happens when it has waited too long.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from lmtp.aio.deadlines import Deadlines
from lmtp.protocol.phases import Wait

SLOWEST_OCTETS_PER_SECOND: Final = 500
"""
How fast a content must come on the whole: so many octets buy a second.

One octet every few minutes would hold a connection for ever ("slow loris"); a modem of 1995 was faster than this.
"""


class Watch:
    """
    Watches how long a connection waits.

    Args:
        deadlines: How long it may.
        wait: Says what it waits for now.
        expired: Called when it has waited too long, again and again until `stop`.
    """

    def __init__(self, deadlines: Deadlines, wait: Callable[[], Wait], expired: Callable[[], None]) -> None:
        self._deadlines = deadlines
        self._wait = wait
        self._expired = expired
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """
        Begin to wait.
        """
        self._timer = self._loop.call_at(self._due(), self._ring)

    def stop(self) -> None:
        """
        Wait for nothing any more.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def note_activity(self) -> None:
        """
        Begin to wait anew.
        """
        self._since = self._loop.time()

    def note_content(self, octets: int) -> None:
        """
        Give the client the time that so many octets buy; it can't buy any in advance.
        """
        self._since = min(self._loop.time(), self._since + octets / SLOWEST_OCTETS_PER_SECOND)

    def hasten(self) -> None:
        """
        Ring earlier when what is waited for now has a shorter deadline than what was waited for.
        """
        if self._timer is not None and self._due() < self._timer.when():
            self._timer.cancel()
            self.start()

    def _due(self) -> float:
        return self._since + self._deadlines.seconds_for(self._wait())

    def _ring(self) -> None:
        if self._wait() is Wait.HANDLER:
            self.note_activity()  # the handler has deadlines of its own
        elif self._loop.time() >= self._due():
            self._expired()
        if self._timer is not None:
            self.start()
