# SPDX-License-Identifier: Apache-2.0
"""
Scripts played over sockets and in memory.
"""

import asyncio
import ssl

import pytest
import trustme

import lmtp
from lmtp.testing.clock import fake_time
from lmtp.testing.memory import open_memory_connection
from lmtp.testing.script import Script, ScriptError
from lmtp.testing.script_server import ScriptedConnection, ScriptedServer, scripted_server

CA = trustme.CA()
MESSAGE = b"Subject: hi\r\n\r\nhi\r\n"
ENVELOPE = lmtp.OutgoingEnvelope.parse("", "ann@example.org", "bob@example.org")


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(params=["tcp", "unix"])
def path(request, place):
    return place / "lmtp.sock" if request.param == "unix" else None


async def deliver(endpoint):
    async with lmtp.connect(endpoint) as client:
        return await client.send(ENVELOPE, MESSAGE)


class TestServer:
    async def test_does_what_is_right(self, path):
        async with scripted_server(path=path) as server:
            results = await deliver(server.endpoint)

        assert [True, True] == [result.is_delivered for result in results]
        assert [MESSAGE] == server.contents
        assert b"QUIT" == server.commands[-1]

    async def test_does_what_is_written(self, path):
        async with scripted_server("rcpt 2: 550 5.1.1 No after 0.001 s", path=path) as server:
            results = await deliver(server.endpoint)

        assert ["250 2.0.0 Delivered", "550 5.1.1 No"] == [str(result.reply) for result in results]

    @pytest.mark.parametrize("deed", ["close", "reset"])
    async def test_can_go_away(self, path, deed):
        async with scripted_server(f"content 2: {deed}", path=path) as server:
            results = await deliver(server.endpoint)

        assert not results[1].is_delivered
        assert results[1].reply is None

    async def test_has_a_script_for_each_connection(self):
        async with scripted_server(Script.parse("greeting: 421 4.3.2 Busy"), "rcpt: 550 5.1.1 No", "") as server:
            with pytest.raises(lmtp.SessionError, match="Busy"):
                await deliver(server.endpoint)
            results = [await deliver(server.endpoint) for _ in range(3)]

        assert [False, True, True] == [result.is_delivered for result, _ in results]
        assert [1, 1] == [len(session.contents) for session in server.sessions[2:]]

    async def test_begins_tls(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        CA.issue_cert("localhost").configure_cert(context)
        ours = ssl.create_default_context()
        CA.configure_trust(ours)
        settings = lmtp.ClientSettings(tls=lmtp.ClientTls(context=ours, server_name="localhost"))
        serving = scripted_server("offer: STARTTLS, 8BITMIME", tls=context)
        async with serving as server, lmtp.connect(server.endpoint, settings) as client:
            await client.send(ENVELOPE, MESSAGE)

        assert [MESSAGE] == server.contents

    async def test_outlives_a_handshake_that_fails(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        CA.issue_cert("localhost").configure_cert(context)
        async with scripted_server("offer: STARTTLS", tls=context) as server:
            host, port = server.endpoint.split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"STARTTLS\r\n")
            assert b"220" == (await reader.readline())[:3]
            assert b"220" == (await reader.readline())[:3]
            writer.write(b"this is no handshake\r\n" * 20)
            try:
                rest = await reader.read()
            except ConnectionResetError:
                rest = b""
            writer.close()

        assert b"250" not in rest

    async def test_without_a_certificate_goes_on_in_clear(self):
        async with scripted_server("offer: STARTTLS") as server:
            host, port = server.endpoint.split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"STARTTLS\r\n")
            replies = [await reader.readline(), await reader.readline()]
            writer.write(b"NOOP\r\n")
            replies.append(await reader.readline())
            writer.close()

        assert [b"220", b"220", b"250"] == [reply[:3] for reply in replies]

    async def test_leaves_nothing_behind_when_it_stalls(self, path):
        async with scripted_server("greeting: stall", path=path) as server:
            connecting = asyncio.ensure_future(deliver(server.endpoint))
            while not server.connections:
                await asyncio.sleep(0)
        with pytest.raises((lmtp.SessionError, OSError)):
            await connecting

    async def test_cuts_those_who_come_too_late(self):
        server = ScriptedServer("greeting: stall")
        await server.stop()
        reader, writer, _ = await open_memory_connection(server.accept())
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()

    async def test_needs_a_script_that_means_something(self):
        with pytest.raises(ScriptError):
            async with scripted_server("nowhere: close"):
                pass


class TestInMemory:
    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    async def test_waits_by_the_loops_clock(self):
        server = ScriptedServer("noop 1: 250 2.0.0 Ok after 300 s")
        reader, writer, link = await open_memory_connection(server.accept())
        with fake_time() as clock:
            assert b"220 scripted.example LMTP\r\n" == await reader.readline()
            writer.write(b"NOOP\r\nNOOP\r\n")
            await clock.advance(299)
            assert b"220 scripted.example LMTP\r\n" == link.to_client.written
            await clock.advance(2)
            assert b"250 2.0.0 Ok\r\n" * 2 == await reader.readline() + await reader.readline()
            writer.close()
            await writer.wait_closed()

    async def test_can_be_one_connection_alone(self):
        connection = ScriptedConnection(Script.parse("noop: reset"))
        reader, writer, _ = await open_memory_connection(connection)
        writer.write(b"NOOP\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()

        assert [b"NOOP"] == connection.session.commands
        assert connection.closed.is_set()

    async def test_forgets_what_it_would_have_said(self):
        server = ScriptedServer("noop: 250 2.0.0 Ok after 300 s")
        with fake_time() as clock:
            _, writer, link = await open_memory_connection(server.accept())
            writer.write(b"NOOP\r\n")
            await clock.advance(0)
            writer.close()
            await clock.advance(0)
            await clock.advance(301)

        assert b"220 scripted.example LMTP\r\n" == link.to_client.written
        assert server.connections[0].closed.is_set()

    async def test_reads_nothing_when_it_stalls(self):
        server = ScriptedServer("mail: stall")
        _, writer, link = await open_memory_connection(server.accept())
        writer.write(b"MAIL FROM:<>\r\n")
        await asyncio.sleep(0.001)
        writer.write(b"RSET\r\n")
        await asyncio.sleep(0.001)
        writer.close()

        assert [b"MAIL FROM:<>"] == server.commands
        assert not link.server.is_reading()
