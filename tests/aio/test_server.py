# SPDX-License-Identifier: Apache-2.0
"""
A server as a whole: who gets in, and how it comes to an end.
"""

import asyncio

import pytest

import lmtp
from lmtp.observe import events as observed
from tests.aio.conftest import Inbox


class Waiting(Inbox):
    """
    A handler that delivers when it is let.
    """

    def __init__(self):
        super().__init__()
        self.started = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def deliver(self, transaction):
        self.started.set()
        await self.may_go_on.wait()
        await super().deliver(transaction)


class TestAdmission:
    """
    RFC 5321 §3.8: whoever can't be served is told so.
    """

    async def test_one_connection_too_many_is_told_421(self, start, recorder):
        async with start(Inbox(), connections=2) as server:
            first, _second = await server.connect(), await server.connect()
            third = await server.connect(greeted=False)

            assert "421 4.3.2 Too many connections, try again later\r\n" == await third.read_to_end()

            await first.say("QUIT")
            await first.read_to_end()
            while server.connections > 1:
                await asyncio.sleep(0)

            await server.connect()
        assert 1 == len(recorder.of(observed.SessionRefused))

    @pytest.mark.guards("ST-11")
    async def test_sessions_have_names_of_their_own(self, start, recorder):
        async with start(Inbox()) as server:
            for _ in range(3):
                await server.connect()
        names = [event.session_id for event in recorder.of(observed.SessionOpened)]

        assert 3 == len(set(names))


class TestEnd:
    """
    RFC 5321 §3.8: what has been promised is kept, what has not is deferred, and everybody is told.
    """

    @pytest.mark.guards("RP-10", "SD-1")
    async def test_idle_sessions_are_told_421(self, start):
        async with start(Inbox()) as server:
            client = await server.connect()
            await server.drain()

            assert "421 4.3.2 Shutting down\r\n" == await client.read_to_end()

    @pytest.mark.guards("SD-1")
    async def test_open_transaction_is_delivered_and_answered_before_the_421(self, start):
        handler = Waiting()
        async with start(handler) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send("hello")
            draining = asyncio.ensure_future(server.drain())
            client.send(".")
            await handler.started.wait()
            handler.may_go_on.set()
            await draining
            said = await client.read_to_end()

        assert 2 == said.count("250 2.0.0")
        assert said.endswith("421 4.3.2 Shutting down\r\n")

    @pytest.mark.guards("SD-1")
    async def test_newcomers_are_told_421_while_others_are_finishing(self, start):
        handler = Waiting()
        async with start(handler) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            client.send("hello", ".")
            await handler.started.wait()
            draining = asyncio.ensure_future(server.drain())
            await asyncio.sleep(0)
            newcomer = await server.connect(greeted=False)

            assert "421 4.3.2 Shutting down\r\n" == await newcomer.read_to_end()

            handler.may_go_on.set()
            await draining

    async def test_new_transaction_of_an_old_session_is_told_421(self, start):
        handler = Waiting()
        async with start(handler) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            client.send("hello", ".", "MAIL FROM:<>")
            await handler.started.wait()
            draining = asyncio.ensure_future(server.drain())
            await asyncio.sleep(0)
            handler.may_go_on.set()
            await draining

            assert ["250", "421"] == [line[:3] for line in (await client.read_to_end()).splitlines()]

    @pytest.mark.guards("SD-3")
    async def test_stop_defers_what_has_no_outcome_and_keeps_what_has(self, start):
        class HalfDone(Waiting):
            async def deliver(self, transaction):
                transaction.recipients[0].settle(lmtp.Delivered())
                await super().deliver(transaction)

        handler = HalfDone()
        async with start(handler) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send("hello", ".")
            await handler.started.wait()
            await server.stop()

            assert ["250", "451", "421"] == [line[:3] for line in (await client.read_to_end()).splitlines()]

    @pytest.mark.guards("SD-4")
    async def test_content_cut_short_is_delivered_to_nobody(self, start):
        inbox = Inbox()
        async with start(inbox, deadlines=lmtp.Deadlines(drain_seconds=0.01)) as server:
            client = await server.connect()
            await client.open_transaction("ann", "bob")
            client.send("Subject: half of it", "", ".half")
            await server.drain()

            assert "421 4.3.2 Shutting down\r\n" == await client.read_to_end()
        assert [] == inbox.transactions

    async def test_drain_gives_up_on_transactions_that_take_too_long(self, start):
        async with start(Waiting(), deadlines=lmtp.Deadlines(drain_seconds=0.01)) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            await server.drain()

            assert "421 4.3.2 Shutting down\r\n" == await client.read_to_end()

    async def test_drain_says_whether_each_came_to_its_own_end(self, start):
        async with start(Waiting(), deadlines=lmtp.Deadlines(drain_seconds=0.01)) as server:
            assert await server.drain()

        async with start(Waiting(), deadlines=lmtp.Deadlines(drain_seconds=0.01)) as server:
            client = await server.connect()
            await client.open_transaction("ann")

            assert not await server.drain()

    async def test_stop_cuts_a_client_that_does_not_read(self, start, recorder):
        async with start(Inbox(), deadlines=lmtp.Deadlines(closing_seconds=3600)) as server:
            client = await server.connect()
            client.writer.transport.pause_reading()
            client.writer.write(b"LHLO x\r\n" + b"HELP\r\n" * 50_000)
            [connection] = server._connections
            while not connection._is_writing_paused:
                await asyncio.sleep(0)
            await server.stop(0.01)
            while server.connections:
                await asyncio.sleep(0)

        assert 1 == len(recorder.of(observed.SessionClosed))

    async def test_what_is_gone_can_be_cut(self, start, recorder):
        """
        Between the end of a connection and that of its delivery it is still counted.
        """
        handler = Waiting()
        async with start(handler) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            client.send("hello", ".")
            await handler.started.wait()
            [connection] = server._connections
            connection.cut()
            while not recorder.of(observed.SessionClosed):
                await asyncio.sleep(0)
            connection.cut()

            assert 1 == server.connections

            handler.may_go_on.set()

    async def test_socket_is_gone_afterwards(self, start, tmp_path):
        async with start(Inbox()):
            assert (tmp_path / "lmtp.sock").exists()

        assert not (tmp_path / "lmtp.sock").exists()

    async def test_error_in_the_body_stops_it_at_once(self, start, recorder):
        with pytest.raises(KeyError):  # noqa: PT012 - the block is what is tested
            async with start(Waiting()) as server:
                client = await server.connect()
                await client.open_transaction("ann")
                raise KeyError

        assert 1 == len(recorder.of(observed.SessionClosed))


class TestEndpoints:
    """
    One server, many places.
    """

    async def test_tcp_and_unix_at_once(self, tmp_path):
        async with lmtp.serve(Inbox(), "127.0.0.1:0", f"unix:{tmp_path}/a.sock") as server:
            tcp, unix = server.endpoints
            reader, writer = await asyncio.open_connection("127.0.0.1", int(tcp.rpartition(":")[2]))
            greeting = await reader.readline()
            writer.close()
            await writer.wait_closed()

        assert greeting.startswith(b"220 ")
        assert f"unix:{tmp_path}/a.sock" == unix

    async def test_that_can_not_be_opened_is_named(self, tmp_path):
        with pytest.raises(OSError, match=r"can't listen at unix:.*/missing/a\.sock: No such file"):
            async with lmtp.serve(Inbox(), f"unix:{tmp_path}/missing/a.sock"):
                pass

    async def test_that_begins_with_tls_needs_a_certificate(self):
        with pytest.raises(ValueError, match=r"127\.0\.0\.1:0,tls begins with TLS, and there is no certificate"):
            async with lmtp.serve(Inbox(), "127.0.0.1:0,tls"):
                pass

    @pytest.mark.guards("LMTP-5-1")
    async def test_port_25_is_refused_with_the_reason(self):
        with pytest.raises(ValueError, match="port 25"):
            async with lmtp.serve(Inbox(), "127.0.0.1:25"):
                pass
