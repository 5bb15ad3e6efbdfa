# SPDX-License-Identifier: Apache-2.0
"""
Sessions kept warm: who gets which, what becomes of them, and what a pool does when servers don't behave.
"""

import asyncio

import pytest

import lmtp
from lmtp.aio.pool import Pool, PoolSettings
from tests.aio.conftest import Inbox
from tests.aio.peers import serving

MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"
ONE = PoolSettings(connections=1, messages_in_flight=1)


def envelope(*local_parts):
    return lmtp.OutgoingEnvelope.parse("ann@example.org", *(f"{local_part}@example.org" for local_part in local_parts))


def outcomes(results):
    return [(type(result.outcome).__name__, result.outcome.status) for result in results]


async def store(peer):
    """
    Take every message.
    """
    await peer.greet()
    while True:
        line = await peer.reader.readuntil(b"\r\n")
        peer.heard.append(line.decode().rstrip())
        if line.startswith(b"DATA"):
            peer.say("354 go on")
            await peer.hear_content()
            peer.say("250 2.0.0 stored")
        else:
            peer.say("221 2.0.0 bye" if line.startswith(b"QUIT") else "250 2.0.0 ok")


class TestSessions:
    async def test_are_used_again(self, tmp_path):
        path = f"{tmp_path}/peer"
        async with serving(path, store) as peers, Pool([f"unix:{path}"]) as pool:
            for _ in range(5):
                assert (await pool.send(envelope("bob"), MESSAGE))[0].is_delivered

        assert 1 == len(peers)
        assert "QUIT" == peers[0].heard[-1]

    async def test_are_no_more_than_allowed(self, tmp_path):
        path = f"{tmp_path}/peer"
        keeping = PoolSettings(connections=3)
        async with serving(path, store) as peers, Pool([f"unix:{path}"], keeping=keeping) as pool:
            results = await asyncio.gather(*(pool.send(envelope("bob"), MESSAGE) for _ in range(100)))

            assert 100 == pool.statistics.delivered == pool.statistics.messages
        assert all(result[0].is_delivered for result in results)
        assert len(peers) <= 3

    async def test_are_given_in_the_order_of_asking(self, tmp_path):
        path = f"{tmp_path}/peer"
        done = []

        async def send(number):
            await pool.send(envelope(f"user{number}"), MESSAGE)
            done.append(number)

        async with serving(path, store), Pool([f"unix:{path}"], keeping=ONE) as pool:
            await asyncio.gather(*(send(number) for number in range(20)))

        assert list(range(20)) == done

    async def test_end_after_so_many_messages(self, tmp_path):
        path = f"{tmp_path}/peer"
        keeping = PoolSettings(connections=1, messages_in_flight=1, messages_per_session=2)
        async with serving(path, store) as peers, Pool([f"unix:{path}"], keeping=keeping) as pool:
            for _ in range(5):
                await pool.send(envelope("bob"), MESSAGE)

        assert [2, 2, 1] == [sum("MAIL" in line for line in peer.heard if isinstance(line, str)) for peer in peers]

    async def test_end_after_as_many_as_the_server_said(self, start):
        """
        RFC 9422 §4.1: MAILMAX.
        """
        async with start(Inbox(), limits=lmtp.Limits(transactions=2)) as server:
            async with Pool(server.endpoints, keeping=ONE) as pool:
                results = [(await pool.send(envelope("bob"), MESSAGE))[0] for _ in range(5)]

            assert 3 == pool.statistics.endpoints[0].opened
        assert all(result.is_delivered for result in results)

    async def test_end_when_they_have_been_idle(self, tmp_path):
        path = f"{tmp_path}/peer"
        keeping = PoolSettings(idle_seconds=0.01)
        async with serving(path, store) as peers, Pool([f"unix:{path}"], keeping=keeping) as pool:
            await pool.send(envelope("bob"), MESSAGE)
            while "QUIT" not in peers[0].heard:
                await asyncio.sleep(0.001)

            assert 0 == pool.statistics.endpoints[0].sessions

    async def test_end_when_they_are_old(self, tmp_path, clock):
        path = f"{tmp_path}/peer"
        async with (
            serving(path, store) as peers,
            Pool([f"unix:{path}"], keeping=PoolSettings(session_seconds=30)) as pool,
        ):
            await pool.send(envelope("bob"), MESSAGE)
            await clock.advance(31)
            await pool.send(envelope("bob"), MESSAGE)

        assert 2 == len(peers)

    async def test_with_a_doubt_are_never_used_again(self, tmp_path):
        async def confused(peer):
            await peer.greet()
            await peer.take("250 2.1.5 ok", content=["250 2.0.0 stored", "250 2.0.0 stored"])
            await peer.is_left()

        path = f"{tmp_path}/peer"
        async with serving(path, confused, store) as peers, Pool([f"unix:{path}"], keeping=ONE) as pool:
            results = [(await pool.send(envelope("bob"), MESSAGE))[0] for _ in range(3)]

        assert all(result.is_delivered for result in results)
        assert 2 == len(peers)


class TestSessionsThatTheServerHasClosed:
    async def test_cost_no_message(self, tmp_path):
        """
        A server may end an idle session at any time; it is noticed when the next message is under way.
        """

        async def impatient(peer):
            await peer.greet()
            await peer.take("250 2.1.5 ok")
            await peer.hear("MAIL")

        path = f"{tmp_path}/peer"
        async with serving(path, impatient, store) as peers, Pool([f"unix:{path}"], keeping=ONE) as pool:
            results = [(await pool.send(envelope("bob"), MESSAGE))[0] for _ in range(2)]

        assert all(result.is_delivered for result in results)
        assert 2 == len(peers)

    async def test_behind_the_content_are_not_tried_again(self, tmp_path):
        """
        The message may have been delivered: whoever has the queue decides (RFC 1047).
        """

        async def lost(peer):
            await peer.greet()
            await peer.take("250 2.1.5 ok")
            await peer.hear("MAIL", "RCPT", "DATA")
            peer.say("250 2.1.0 ok", "250 2.1.5 ok", "354 go on")
            await peer.hear_content()

        path = f"{tmp_path}/peer"
        async with serving(path, lost, store) as peers, Pool([f"unix:{path}"], keeping=ONE) as pool:
            results = [(await pool.send(envelope("bob"), MESSAGE))[0] for _ in range(2)]

        assert [("Delivered", "2.0.0"), ("Deferred", "4.4.2")] == outcomes(results)
        assert 1 == len(peers)

    async def test_are_tried_once_more_and_not_for_ever(self, tmp_path):
        async def never(peer):
            await peer.greet()
            await peer.hear("MAIL")

        path = f"{tmp_path}/peer"
        async with serving(path, never) as peers, Pool([f"unix:{path}"], keeping=ONE) as pool:
            results = await pool.send(envelope("bob"), MESSAGE)

        assert [("Deferred", "4.4.2")] == outcomes(results)
        assert 1 == len(peers)


class TestEndpoints:
    async def test_that_fail_give_way_to_the_next(self, tmp_path):
        path = f"{tmp_path}/peer"
        async with serving(path, store), Pool([f"unix:{tmp_path}/nobody", f"unix:{path}"]) as pool:
            assert (await pool.send(envelope("bob"), MESSAGE))[0].is_delivered

            first, second = pool.statistics.endpoints
        assert (1, 0) == (first.failures, second.failures)
        assert "nobody" in first.last_failure

    async def test_that_all_fail_defer_everybody(self, tmp_path):
        async with Pool([f"unix:{tmp_path}/nobody"]) as pool:
            results = await pool.send(envelope("bob", "carl"), MESSAGE)

        assert [("Deferred", "4.4.1")] * 2 == outcomes(results)
        assert "nobody" in results[0].outcome.detail

    async def test_that_failed_are_left_alone_for_a_while(self, tmp_path):
        async def busy(peer):
            peer.say("421 4.3.2 too busy")
            await peer.is_left()

        path = f"{tmp_path}/peer"
        async with serving(path, busy) as peers, Pool([f"unix:{path}"]) as pool:
            results = [(await pool.send(envelope("bob"), MESSAGE))[0] for _ in range(50)]

        assert 1 == len(peers)
        assert 421 == results[0].reply.code
        assert "left alone" in results[1].outcome.detail

    async def test_are_tried_again_after_that_while_and_left_alone_for_longer(self, tmp_path):
        keeping = PoolSettings(first_pause_seconds=0.001, longest_pause_seconds=0.004)
        async with Pool([f"unix:{tmp_path}/nobody"], keeping=keeping) as pool:
            known = pool.statistics.endpoints[0]
            while known.failures < 5:
                await pool.send(envelope("bob"), MESSAGE)
                await asyncio.sleep(0.001)

            assert known.paused_until <= asyncio.get_running_loop().time() + 0.004 * 1.25

    async def test_that_want_no_more_sessions_are_served_by_those_there_are(self, tmp_path):
        async def busy(peer):
            peer.say("421 4.3.2 too many connections")
            await peer.is_left()

        path = f"{tmp_path}/peer"
        async with serving(path, store, busy), Pool([f"unix:{path}"]) as pool:
            results = await asyncio.gather(*(pool.send(envelope("bob"), MESSAGE) for _ in range(50)))

            assert 1 == pool.statistics.endpoints[0].sessions
        assert all(result[0].is_delivered for result in results)

    def test_are_needed(self):
        with pytest.raises(ValueError, match="needs an endpoint"):
            Pool([])


class TestServersThatAreBusy:
    async def test_get_less_at_a_time(self, tmp_path):
        async def busy(peer):
            await peer.greet()
            await peer.hear("MAIL", "RCPT", "DATA")
            peer.say("451 4.3.2 later", "503 5.5.1 no", "503 5.5.1 no")
            await peer.is_left()

        path = f"{tmp_path}/peer"
        async with serving(path, busy), Pool([f"unix:{path}"]) as pool:
            results = await pool.send(envelope("bob"), MESSAGE)

            assert 1 == pool.statistics.limit
        assert [("Deferred", "4.3.2")] == outcomes(results)


class TestCancellation:
    @pytest.mark.parametrize("turns", range(0, 40, 3))
    async def test_at_any_moment_leaves_the_pool_sound(self, tmp_path, turns):
        path = f"{tmp_path}/peer"
        keeping = PoolSettings(connections=2, messages_in_flight=2)
        async with serving(path, store), Pool([f"unix:{path}"], keeping=keeping) as pool:
            tasks = [asyncio.create_task(pool.send(envelope(f"user{number}"), MESSAGE)) for number in range(8)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            results = await asyncio.gather(*tasks[1::2])
            last = await pool.send(envelope("bob"), MESSAGE)

            assert 0 == pool.statistics.under_way
        # A session may have been given up by what was cancelled: those behind it in the same session are deferred.
        assert {True} == {result[0].is_delivered or result[0].is_deferred for result in results}
        assert last[0].is_delivered

    async def test_while_waiting_gives_way_to_the_next(self, tmp_path):
        path = f"{tmp_path}/peer"
        async with serving(path, store), Pool([f"unix:{path}"], keeping=ONE) as pool:
            tasks = [asyncio.create_task(pool.send(envelope("bob"), MESSAGE)) for _ in range(10)]
            await asyncio.sleep(0)
            for task in tasks[:9]:
                task.cancel()

            assert (await tasks[9])[0].is_delivered


class TestStream:
    async def test_yields_results_as_they_come(self, start):
        async with start(Inbox(carl=lmtp.Failed("5.7.1"))) as server, Pool(server.endpoints) as pool:
            told = [
                (index, result.is_delivered) async for index, result in pool.stream(envelope("bob", "carl"), MESSAGE)
            ]

        assert [(0, True), (1, False)] == told


class TestClose:
    async def test_waits_for_what_is_under_way_and_defers_what_waits(self, tmp_path):
        path = f"{tmp_path}/peer"
        async with serving(path, store):
            pool = Pool([f"unix:{path}"], keeping=ONE)
            await pool.send(envelope("bob"), MESSAGE)
            tasks = [asyncio.create_task(pool.send(envelope("bob"), MESSAGE)) for _ in range(3)]
            await asyncio.sleep(0)
            await pool.close()
            results = [(await task)[0] for task in tasks]

            assert ("Deferred", "4.4.1") == outcomes(await pool.send(envelope("bob"), MESSAGE))[0]
        assert [True, False, False] == [result.is_delivered for result in results]


class TestSettings:
    @pytest.mark.parametrize("name", PoolSettings.__slots__)
    def test_are_more_than_nothing(self, name):
        with pytest.raises(ValueError, match=f"{name} must be more than 0"):
            PoolSettings(**{name: 0})
