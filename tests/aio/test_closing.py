# SPDX-License-Identifier: Apache-2.0
"""
How a connection is closed: the last reply reaches its client, whatever that was saying at the time.
"""

import asyncio

import pytest

import lmtp
from lmtp.aio import closing
from lmtp.aio.closing import LINGERING_SECONDS, LULL_SECONDS, Closing
from lmtp.observe import events as observed
from tests.aio.conftest import Inbox

TCP = "127.0.0.1:0"
TLS = "127.0.0.1:0,tls"
GOODBYE = "421 4.3.2 Shutting down\r\n"

pytestmark = pytest.mark.guards("T60")


async def gone(server):
    while server.connections:
        await asyncio.sleep(0)


async def read_to_end(client):
    """
    Return all that a client gets; a connection that is reset instead of closed is an error.
    """
    return (await client.reader.read()).decode()


async def stop_amid_content(client, server):
    """
    Let the server go down while its client sends a message.
    """
    await client.open_transaction("ann")
    client.send("half of it")
    stopping = asyncio.ensure_future(server.stop())
    await asyncio.sleep(0)
    return stopping


class TestClientThatGoesOn:
    """
    Closed at once, its connection would be reset, and with it would go what was said last.
    """

    async def test_after_too_many_errors_is_heard_out(self, start, recorder):
        async with start(Inbox(), at=TCP) as server:
            client = await server.connect()
            client.write(b"NONSENSE\r\n" * 50_000)
            said = await read_to_end(client)

            assert said.endswith("421 4.7.0 Too many bad commands, closing\r\n")

            client.writer.close()
            await gone(server)
        assert 1 == len(recorder.of(observed.SessionClosed))

    async def test_after_quit_is_heard_out(self, start, recorder):
        async with start(Inbox(), at=TCP) as server:
            client = await server.connect()
            client.write(b"QUIT\r\n" + b"NONSENSE\r\n" * 50_000)

            assert "221 2.0.0 Goodbye\r\n" == await read_to_end(client)

            client.writer.close()
            await gone(server)
        assert ["quit"] == [event.reason for event in recorder.of(observed.SessionClosed)]

    async def test_with_its_content_is_heard_out(self, start, recorder):
        async with start(Inbox(), at=TCP) as server:
            client = await server.connect()
            stopping = await stop_amid_content(client, server)
            client.write(b"x" * 1_000_000)
            await client.writer.drain()

            assert GOODBYE == await read_to_end(client)

            client.writer.close()
            await stopping
        assert [GOODBYE.strip()] == [event.reason for event in recorder.of(observed.SessionClosed)]

    async def test_under_tls_is_heard_out(self, start, certificate):
        async with start(Inbox(), at=TLS, tls=await certificate.load()) as server:
            client = await server.connect()
            stopping = await stop_amid_content(client, server)
            client.write(b"x" * 1_000_000)
            await client.writer.drain()

            assert GOODBYE == await client.read_reply()

            client.close_notify()
            await stopping

            assert b"" == await client.read_some()

    async def test_and_resets_the_connection_is_forgotten(self, start, recorder):
        async with start(Inbox(), at=TCP) as server:
            client = await server.connect()
            stopping = await stop_amid_content(client, server)
            client.writer.transport.abort()
            await stopping
        assert 1 == len(recorder.of(observed.SessionClosed))


class TestClientThatHasEnded:
    """
    Whoever has nothing on its way is not waited for.
    """

    @pytest.mark.parametrize("at", [TCP, TLS])
    async def test_by_quit_is_closed_at_once(self, start, certificate, at):
        async with start(Inbox(), at=at, tls=await certificate.load()) as server:
            client = await server.connect()
            await client.say("LHLO x", "QUIT")

            assert b"" == await client.read_some()

    async def test_by_closing_its_half_in_a_content_is_closed_at_once(self, start, recorder):
        async with start(Inbox(), at=TCP) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            client.writer.write_eof()
            await gone(server)
        assert ["client left"] == [event.reason for event in recorder.of(observed.SessionClosed)]

    async def test_and_waits_for_nothing_is_closed_at_once(self, start):
        async with start(Inbox(), at=TCP) as server:
            client = await server.connect()
            await client.say("LHLO x")
            await server.drain()

            assert GOODBYE == await read_to_end(client)

    async def test_on_a_unix_socket_is_closed_at_once_even_amid_its_content(self, start):
        async with start(Inbox()) as server:
            client = await server.connect()
            await (await stop_amid_content(client, server))

            assert GOODBYE == await client.read_to_end()


class TestPatience:
    """
    Nobody is heard out for ever.
    """

    async def test_ends_when_nothing_more_comes(self, start, clock):
        async with start(Inbox(), at=TCP) as server:
            client = await server.connect()
            stopping = await stop_amid_content(client, server)
            client.send("a little more")
            await clock.advance(LULL_SECONDS + 0.1)

            assert 1 == server.connections, "something has come meanwhile"

            await clock.advance(LULL_SECONDS + 0.1)
            await stopping

            assert 0 == server.connections

    async def test_ends_with_whoever_goes_on_and_on(self, start, clock):
        async with start(Inbox(), at=TCP) as server:
            client = await server.connect()
            stopping = await stop_amid_content(client, server)
            for _ in range(round(LINGERING_SECONDS / LULL_SECONDS) + 1):
                client.send("and on")
                await clock.advance(LULL_SECONDS + 0.1)
            await stopping

            assert 0 == server.connections

    async def test_ends_with_whoever_sends_too_much(self, start, monkeypatch):
        monkeypatch.setattr(closing, "LINGERING_BYTES", 100_000)
        async with start(Inbox(), at=TCP) as server:
            client = await server.connect()
            stopping = await stop_amid_content(client, server)
            client.write(b"x" * 1_000_000)
            await stopping

            assert 0 == server.connections

    async def test_does_not_outlast_the_deadline_for_closing(self, start, clock, recorder):
        async with start(Inbox(), at=TCP, deadlines=lmtp.Deadlines(closing_seconds=LULL_SECONDS / 2)) as server:
            client = await server.connect()
            await stop_amid_content(client, server)
            await clock.advance(LULL_SECONDS / 2 + 0.1)
            await gone(server)

        assert 1 == len(recorder.of(observed.SessionClosed))


class GoneTransport:
    """
    The transport of a connection that the client has reset a moment ago.
    """

    def __init__(self, connected):
        self.calls = []
        self._connected = connected

    def get_extra_info(self, name):
        return {"socket": self._connected}[name]

    def can_write_eof(self):
        return True

    def write_eof(self):
        raise OSError(107, "Transport endpoint is not connected")

    def resume_reading(self):
        self.calls.append("resume reading")

    def close(self):
        self.calls.append("close")


async def test_connection_that_was_reset_meanwhile_is_read_on_for_the_news(start):
    async with start(Inbox(), at=TCP) as server:
        client = await server.connect()
        transport, end = GoneTransport(client.writer.get_extra_info("socket")), Closing()
        end.begin(transport, is_client_speaking=True)
        end.stop()

        assert ["resume reading"] == transport.calls
