# SPDX-License-Identifier: Apache-2.0
"""
Threads of one's own: who is served, in what order, and how they end.
"""

import asyncio
import threading

import pytest

from lmtp.aio.threads import Threads


@pytest.fixture
def threads():
    threads = Threads("test", 1)
    yield threads
    threads.close()


async def is_held_up(threads):
    """
    Keep the thread busy until the event that is returned is set.
    """
    may_end, has_begun = threading.Event(), threading.Event()

    def hold():
        has_begun.set()
        may_end.wait()

    holding = asyncio.ensure_future(threads.run(hold))
    await asyncio.sleep(0)
    await asyncio.to_thread(has_begun.wait)
    return may_end, holding


class TestCall:
    async def test_is_made_on_a_thread_of_that_name(self, threads):
        assert "test-0" == await threads.run(lambda: threading.current_thread().name)

    async def test_that_raises_is_heard_where_it_is_waited_for(self, threads):
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)

        assert 1 == await threads.run(lambda: 1), "the thread lives on"

    async def test_that_wants_to_end_the_process_is_heard_there_too(self, threads):
        def leave():
            raise asyncio.CancelledError("no business of the thread's")

        with pytest.raises(asyncio.CancelledError):
            await threads.run(leave)

        assert 1 == await threads.run(lambda: 1), "the thread lives on"

    async def test_nobody_waits_for_any_more_is_not_made(self, threads):
        made = []
        may_end, holding = await is_held_up(threads)
        cancelled = asyncio.ensure_future(threads.run(lambda: made.append("cancelled")))
        waiting = asyncio.ensure_future(threads.run(lambda: made.append("waiting")))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        may_end.set()
        await asyncio.gather(holding, waiting)

        assert ["waiting"] == made


class TestThreads:
    async def test_are_started_when_there_is_something_to_do_and_never_more_than_so_many(self):
        threads = Threads("few", 2)

        assert 0 == len(threads._threads)

        names = {await threads.run(lambda: threading.current_thread().name) for _ in range(5)}
        started = threads._threads
        threads.close()

        assert 2 == len(started)
        assert {"few-0", "few-1"} >= names

    async def test_end_when_they_are_closed(self, threads):
        await threads.run(lambda: None)
        [thread] = threads._threads
        threads.close()
        await asyncio.to_thread(thread.join)

        assert not thread.is_alive()

    async def test_end_after_what_they_were_given_before(self, threads):
        may_end, holding = await is_held_up(threads)
        waiting = asyncio.ensure_future(threads.run(lambda: "done"))
        await asyncio.sleep(0)
        threads.close()
        may_end.set()

        assert "done" == await waiting

        await holding

    def test_do_not_keep_a_process_from_ending(self, threads):
        asyncio.run(threads.run(lambda: None))

        assert threads._threads[0].daemon
