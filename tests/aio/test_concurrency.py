# SPDX-License-Identifier: Apache-2.0
"""
How many messages a server gets at a time follows from how it answers.
"""

from hypothesis import given
from hypothesis import strategies as st

from lmtp.aio.concurrency import Concurrency


def feel_for(concurrency, server, messages=2000):
    """
    Send that many messages to a server that takes so long when so many are under way.
    """
    now = 0.0
    for _ in range(messages):
        seconds = server(concurrency.limit)
        now += seconds / concurrency.limit
        concurrency.answered(seconds, concurrency.limit, now)
    return concurrency.limit


class TestConcurrency:
    def test_begins_with_two(self):
        assert 2 == Concurrency(16).limit
        assert 1 == Concurrency(1).limit

    def test_grows_to_the_most_with_a_server_that_gets_no_slower(self):
        assert 16 == feel_for(Concurrency(16), lambda _: 0.01)

    def test_stays_small_with_a_server_that_does_one_thing_at_a_time(self):
        assert feel_for(Concurrency(64), lambda under_way: 0.01 * under_way) <= 6

    def test_is_about_what_a_server_can_do_at_a_time(self):
        limit = feel_for(Concurrency(64), lambda under_way: 0.01 * max(1, under_way / 16))

        assert 12 <= limit <= 24

    def test_does_not_grow_while_not_all_of_it_is_used(self):
        concurrency = Concurrency(16)
        for moment in range(100):
            concurrency.answered(0.01, 1, float(moment))

        assert 2 == concurrency.limit

    def test_halves_when_the_server_has_too_much_to_do(self):
        concurrency = Concurrency(16)
        feel_for(concurrency, lambda _: 0.01)
        concurrency.refused()

        assert 8 == concurrency.limit

    def test_gets_used_to_a_server_that_is_slower_for_good(self):
        concurrency = Concurrency(16)
        feel_for(concurrency, lambda _: 0.001)
        feel_for(concurrency, lambda _: 0.1, messages=20_000)

        assert 16 == concurrency.limit

    def test_knows_how_long_an_answer_takes(self):
        concurrency = Concurrency(16)
        feel_for(concurrency, lambda _: 0.25)

        assert 0.25 == concurrency.latency_seconds

    @given(
        most=st.integers(1, 64),
        steps=st.lists(st.tuples(st.floats(0, 100), st.integers(1, 64)) | st.none(), max_size=200),
    )
    def test_is_always_at_least_one_and_at_most_the_most(self, most, steps):
        concurrency = Concurrency(most)
        now = 0.0
        for step in steps:
            if step is None:
                concurrency.refused()
            else:
                now += step[0]
                concurrency.answered(*step, now)

            assert 1 <= concurrency.limit <= most
