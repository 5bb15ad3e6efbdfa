# SPDX-License-Identifier: Apache-2.0
"""
The watch over one connection: when it rings, and what puts it off.
"""

import pytest

from lmtp.aio.deadlines import Deadlines
from lmtp.aio.watch import SLOWEST_OCTETS_PER_SECOND, Watch
from lmtp.protocol.phases import Wait

DEADLINES = Deadlines(command_seconds=100, content_seconds=50, closing_seconds=10)


class Watched:
    """
    A connection that waits for what it is told, and counts how often it has waited too long.
    """

    def __init__(self):
        self.waits_for = Wait.COMMAND
        self.rung = 0
        self.watch = Watch(DEADLINES, lambda: self.waits_for, self.ring)

    def ring(self):
        self.rung += 1


@pytest.fixture
async def watched(clock):
    """
    A connection that waits for a command from now on.
    """
    watched = Watched()
    watched.watch.start()
    yield watched
    watched.watch.stop()


class TestWatch:
    async def test_rings_when_the_time_is_over_and_not_before(self, watched, clock):
        await clock.advance(99)

        assert not watched.rung

        await clock.advance(1.1)

        assert watched.rung

    async def test_begins_anew_with_each_activity(self, watched, clock):
        for _ in range(3):
            await clock.advance(99)
            watched.watch.note_activity()

        assert not watched.rung

        await clock.advance(100.1)

        assert watched.rung

    async def test_rings_again_and_again_until_it_is_stopped(self, watched, clock):
        await clock.advance(101)
        await clock.advance(1)
        heard = watched.rung
        watched.watch.stop()
        await clock.advance(1000)

        assert heard > 1
        assert heard == watched.rung

    async def test_may_be_stopped_by_whoever_hears_it(self, clock):
        watch = Watch(DEADLINES, lambda: Wait.COMMAND, lambda: heard.append(watch.stop()))
        heard = []
        watch.start()
        await clock.advance(101)
        await clock.advance(1000)

        assert 1 == len(heard)

    async def test_that_was_never_started_can_be_stopped(self):
        watched = Watched()
        watched.watch.stop()

        assert not watched.rung

    async def test_leaves_the_handler_to_its_own_deadlines(self, watched, clock):
        watched.waits_for = Wait.HANDLER
        await clock.advance(101)
        watched.waits_for = Wait.COMMAND
        await clock.advance(99)

        assert not watched.rung, "the client has had no chance to say anything meanwhile"

        await clock.advance(1.1)

        assert watched.rung


class TestHaste:
    """
    What is waited for changes, and its deadline with it.
    """

    async def test_rings_earlier_for_a_shorter_deadline(self, watched, clock):
        watched.waits_for = Wait.NOTHING
        watched.watch.hasten()
        await clock.advance(10.1)

        assert watched.rung

    async def test_does_not_ring_early_for_a_longer_one(self, watched, clock):
        watched.waits_for = Wait.NOTHING
        watched.watch.hasten()
        watched.waits_for = Wait.COMMAND
        watched.watch.hasten()
        await clock.advance(10.1)

        assert not watched.rung

        await clock.advance(90)

        assert watched.rung

    async def test_does_nothing_for_a_watch_that_has_stopped(self, watched, clock):
        watched.watch.stop()
        watched.waits_for = Wait.NOTHING
        watched.watch.hasten()
        await clock.advance(1000)

        assert not watched.rung


class TestContent:
    """
    A client that sends its message an octet at a time must not have the connection for ever.
    """

    async def test_buys_as_much_time_as_its_octets_are_worth(self, watched, clock):
        watched.waits_for = Wait.CONTENT
        watched.watch.hasten()
        await clock.advance(40)
        watched.watch.note_content(10 * SLOWEST_OCTETS_PER_SECOND)
        await clock.advance(19.9)

        assert not watched.rung

        await clock.advance(0.2)

        assert watched.rung

    async def test_buys_no_time_in_advance(self, watched, clock):
        watched.waits_for = Wait.CONTENT
        watched.watch.hasten()
        await clock.advance(1)
        watched.watch.note_content(1_000_000 * SLOWEST_OCTETS_PER_SECOND)
        await clock.advance(50.1)

        assert watched.rung

    async def test_that_trickles_does_not_keep_the_watch_from_ringing(self, watched, clock):
        watched.waits_for = Wait.CONTENT
        watched.watch.hasten()
        for _ in range(51):
            await clock.advance(1)
            watched.watch.note_content(1)

        assert watched.rung
