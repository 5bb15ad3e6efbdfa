# SPDX-License-Identifier: Apache-2.0
"""
Clients that believe in Unix sockets, and connect in memory.
"""

import asyncio

import pytest

import lmtp
from lmtp.protocol.results import Point
from lmtp.testing.clock import fake_time
from lmtp.testing.memory import byte_by_byte
from lmtp.testing.memory_network import memory_network
from lmtp.testing.script_server import ScriptedServer

ENVELOPE = lmtp.OutgoingEnvelope.parse("", "ann@example.org", "bob@example.org")
MESSAGE = b"Subject: hi\r\n\r\n.\r\n"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    return "asyncio", {"use_uvloop": request.param}


class TestNetwork:
    async def test_has_servers_for_real_clients(self):
        server = ScriptedServer("content 2: 452 4.2.2 Full")
        with memory_network(server.accept) as network:
            async with lmtp.connect(network.endpoint) as client:
                results = await client.send(ENVELOPE, MESSAGE)

        assert [lmtp.Delivered("", "2.0.0", "Delivered"), lmtp.Deferred("4.2.2", "Full")] == [
            result.outcome for result in results
        ]
        assert [MESSAGE] == server.contents
        assert 1 == len(network.links)

    async def test_prepares_the_wires_before_anything_is_said(self):
        server = ScriptedServer()

        def prepare(_to_server, to_client):
            to_client.cut = byte_by_byte

        with memory_network(server.accept, prepare) as network:
            async with lmtp.connect(network.endpoint) as client:
                assert (await client.noop()).is_positive

    async def test_can_refuse_connections(self):
        with memory_network(ScriptedServer().accept) as network:
            network.is_refusing = True
            with pytest.raises(ConnectionRefusedError):
                await lmtp.connect(network.endpoint)

    async def test_leaves_real_sockets_alone(self, place):
        with memory_network(ScriptedServer().accept), pytest.raises(FileNotFoundError):
            await lmtp.connect(f"unix:{place}/nobody")

    async def test_cuts_what_is_open_at_the_end(self):
        with memory_network(ScriptedServer().accept) as network:
            client = await lmtp.connect(network.endpoint)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert not client.is_usable
        await client.close()


class TestTime:
    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    async def test_passes_for_server_and_client_alike(self):
        server = ScriptedServer("content 2: 250 2.0.0 Ok after 300 s")
        with memory_network(server.accept) as network, fake_time() as clock:
            client = await lmtp.connect(network.endpoint)
            sending = asyncio.ensure_future(client.send(ENVELOPE, MESSAGE))
            while not server.contents:
                await clock.advance(0)
            await clock.advance(299)
            assert not sending.done()
            await clock.advance(2)
            while not sending.done():
                await clock.advance(0)
            await client.close()

        assert [True, True] == [result.is_delivered for result in sending.result()]

    async def test_can_run_out(self):
        server = ScriptedServer("content 2: stall")
        with memory_network(server.accept) as network, fake_time() as clock:
            client = await lmtp.connect(network.endpoint)
            sending = asyncio.ensure_future(client.send(ENVELOPE, MESSAGE))
            while not server.contents:
                await clock.advance(0)
            for _ in range(3):
                await clock.advance(601)
            while not sending.done():
                await clock.advance(0)

        assert [True, False] == [result.is_delivered for result in sending.result()]
        assert Point.CONTENT is sending.result()[1].point
