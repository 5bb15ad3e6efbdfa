# SPDX-License-Identifier: Apache-2.0
"""
A clock that moves when a test says so: no test waits for a deadline.

    with fake_time() as clock:
        ...                         # something that waits for five minutes
        await clock.advance(301)

Put in the place of an event loop's own clock it makes timers ring at once when their time has "come". What reads
another clock (`time.monotonic`, a thread that sleeps) is not fooled. Raises TypeError for a loop that keeps its own
time, as uvloop's do.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_TURNS: Final = 10
"""Turns of the loop in which what is ready is done, with what follows from it."""


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
        Let time pass for the running loop: first what can be done now is done, in the end what became due.
        """
        await _let_others_work()
        self.now += seconds
        await _let_others_work()


async def _let_others_work() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


@contextmanager
def fake_time() -> Iterator[FakeClock]:
    """
    Put the running loop's time into a test's hand; it stands still until `FakeClock.advance`.

    It goes on from the loop's own time, so that timers that were set before are not due at once.

    Raises:
        TypeError: the loop keeps its own time.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.BaseEventLoop):
        raise TypeError(f"the loops of {type(loop).__module__} keep their own time: use asyncio's")
    clock = FakeClock(loop.time())
    with changed(loop, "time", clock):
        yield clock


@contextmanager
def changed(loop: asyncio.AbstractEventLoop, name: str, substitute: object) -> Iterator[None]:
    """
    Put something in the place of one of a loop's methods for as long as the body runs.
    """
    vars(loop)[name] = substitute
    try:
        yield
    finally:
        del vars(loop)[name]
