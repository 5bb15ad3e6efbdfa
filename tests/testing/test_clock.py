# SPDX-License-Identifier: Apache-2.0
"""
The clock in a test's hand, and a loop that goes by it.
"""

import asyncio

import pytest

from lmtp.testing.clock import FakeClock, fake_time


class TestFakeTime:
    async def test_stands_still_until_it_is_advanced(self):
        rung = []
        with fake_time() as clock:
            asyncio.get_running_loop().call_later(300, rung.append, "late")
            asyncio.get_running_loop().call_later(3, rung.append, "soon")
            await clock.advance(2)
            assert [] == rung
            await clock.advance(1.5)
            assert ["soon"] == rung
            await clock.advance(300)

        assert ["soon", "late"] == rung

    async def test_lets_deadlines_pass(self):
        async def wait():
            async with asyncio.timeout(300):
                await asyncio.Event().wait()

        with fake_time() as clock:
            task = asyncio.ensure_future(wait())
            await clock.advance(0)
            await clock.advance(301)
            with pytest.raises(TimeoutError):
                await task

    async def test_goes_on_as_before_when_it_is_over(self):
        loop = asyncio.get_running_loop()
        with fake_time() as clock:
            before = loop.time()
            assert before == clock() == loop.time()

        assert before < loop.time()

    def test_is_not_for_loops_that_cannot_be_changed(self):
        uvloop = pytest.importorskip("uvloop")

        async def try_it():
            with pytest.raises(TypeError, match="uvloop"), fake_time():
                pass

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(try_it())


class TestFakeClock:
    async def test_is_a_number_that_grows(self):
        clock = FakeClock(5.0)
        await clock.advance(2.5)

        assert 7.5 == clock() == clock.now
