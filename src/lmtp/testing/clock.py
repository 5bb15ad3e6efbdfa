# SPDX-License-Identifier: Apache-2.0
"""
A clock that moves when a test says so: no test waits for a deadline.

Put in the place of an event loop's own clock it makes timers ring at once when their time has "come".
"""

import asyncio


class FakeClock:
    """
    Time as a number of seconds.
    """

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        """The time now, in seconds."""

    def __call__(self) -> float:
        """
        Return the time now.
        """
        return self.now

    async def advance(self, seconds: float) -> None:
        """
        Let time pass for the running loop, then let the timers that became due do their work.
        """
        self.now += seconds
        for _ in range(3):
            await asyncio.sleep(0)
