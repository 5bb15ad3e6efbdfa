# SPDX-License-Identifier: Apache-2.0
"""
Transports in memory do what sockets do, and what a test says.
"""

import asyncio
import ssl

import pytest
import trustme

from lmtp.testing.clock import fake_time
from lmtp.testing.memory import HIGH_WATER, MemoryLink, byte_by_byte, open_memory_connection

CA = trustme.CA()


class Recorder(asyncio.Protocol):
    """
    Writes down what happens to it.
    """

    def __init__(self, *, stays_open=False):
        self.happened = []
        self.stays_open = stays_open

    def connection_made(self, transport):
        self.transport = transport
        self.happened.append("made")

    def data_received(self, data):
        self.happened.append(data)

    def eof_received(self):
        self.happened.append("eof")
        return self.stays_open

    def connection_lost(self, exc):
        self.happened.append(type(exc).__name__)

    def pause_writing(self):
        self.happened.append("pause")

    def resume_writing(self):
        self.happened.append("resume")


class Buffered(asyncio.BufferedProtocol):
    """
    Reads three octets at a time.
    """

    def __init__(self):
        self.buffer = bytearray(3)
        self.pieces = []

    def get_buffer(self, _sizehint):
        return self.buffer

    def buffer_updated(self, nbytes):
        self.pieces.append(bytes(self.buffer[:nbytes]))


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


def connect(**settings):
    client, server = Recorder(**settings), Recorder(**settings)
    return client, server, MemoryLink.connect(client, server)


class TestLink:
    async def test_carries_octets_both_ways(self):
        client, server, link = connect()
        link.client.write(b"to the server")
        link.server.writelines([b"to ", b"the client"])
        await settle()

        assert ["made", b"to the server"] == server.happened
        assert ["made", b"to the client"] == client.happened
        assert b"to the server" == link.to_server.written
        assert len(b"to the server") == link.to_server.arrived

    async def test_carries_nothing_at_once(self):
        _, server, link = connect()
        link.client.write(b"octets")

        assert ["made"] == server.happened
        assert 6 == link.client.get_write_buffer_size()

    async def test_closes_behind_what_was_written(self):
        client, server, link = connect()
        link.client.write(b"last words")
        link.client.close()
        link.client.close()
        link.client.write(b"too late")
        await settle()

        assert ["made", b"last words", "eof", "NoneType"] == server.happened
        assert ["made", "NoneType"] == client.happened
        assert link.server.is_closing()

    async def test_can_end_in_one_direction(self):
        client, server, link = connect(stays_open=True)
        assert link.client.can_write_eof()
        link.client.write_eof()
        link.client.write_eof()
        link.client.write(b"too late")
        await settle()
        link.server.write(b"an answer")
        await settle()

        assert ["made", "eof"] == server.happened
        assert ["made", b"an answer"] == client.happened

    async def test_tells_of_an_end_once(self):
        _, server, link = connect(stays_open=True)
        link.client.write_eof()
        await settle()
        link.server.pause_reading()
        link.server.resume_reading()
        await settle()

        assert ["made", "eof"] == server.happened

    async def test_tells_both_of_a_reset(self):
        client, server, link = connect()
        link.server.write(b"never read")
        link.server.abort()
        await settle()

        assert ["made", "ConnectionResetError"] == client.happened
        assert ["made", "NoneType"] == server.happened

    async def test_reads_nothing_while_reading_is_paused(self):
        _, server, link = connect()
        link.server.pause_reading()
        link.client.write(b"octets")
        await settle()
        assert ["made"] == server.happened
        assert not link.server.is_reading()

        link.server.resume_reading()
        await settle()
        assert ["made", b"octets"] == server.happened
        assert link.server.is_reading()

    async def test_tells_a_writer_to_pause_and_to_go_on(self):
        client, _, link = connect()
        link.server.pause_reading()
        link.client.write(bytes(HIGH_WATER + 1))
        link.client.write(b"more")
        assert ["made", "pause"] == client.happened

        link.server.resume_reading()
        await settle()
        assert ["made", "pause", "resume"] == client.happened

    async def test_pauses_where_it_is_told(self):
        client, _, link = connect()
        link.client.set_write_buffer_limits(high=2)
        link.client.write(b"123")
        assert ["made", "pause"] == client.happened

        link.client.set_write_buffer_limits()
        await settle()
        assert ["made", "pause", "resume"] == client.happened

    async def test_fills_the_buffers_of_those_who_have_some(self):
        server = Buffered()
        link = MemoryLink.connect(Recorder(), server)
        link.client.write(b"12345")
        await settle()

        assert [b"123", b"45"] == server.pieces

    async def test_knows_who_reads_and_what_it_is_told(self):
        server = Recorder()
        link = MemoryLink.connect(Recorder(), server, extra={"peername": ("192.0.2.1", 25)})

        assert server is link.server.get_protocol()
        assert ("192.0.2.1", 25) == link.client.get_extra_info("peername")

    async def test_can_be_encrypted(self):
        loop = asyncio.get_running_loop()
        client, server, link = connect()
        theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        CA.issue_cert("store.example").configure_cert(theirs)
        ours = ssl.create_default_context()
        CA.configure_trust(ours)
        encrypted = loop.start_tls(link.server, server, theirs, server_side=True)
        secure, _ = await asyncio.gather(
            loop.start_tls(link.client, client, ours, server_hostname="store.example"), encrypted
        )
        secure.write(b"in secret")
        await settle()
        secure.abort()
        await settle()

        assert b"in secret" in server.happened
        assert b"in secret" not in link.to_server.written


class TestWire:
    async def test_divides_what_is_written(self):
        client, _, link = connect()
        link.to_client.cut = byte_by_byte
        link.server.write(b"250")
        await settle()

        assert ["made", b"2", b"5", b"0"] == client.happened

    async def test_holds_and_releases(self):
        client, _, link = connect()
        link.to_client.hold()
        link.server.write(b"250 Ok")
        await settle()
        assert ["made"] == client.happened

        link.to_client.release(3)
        await settle()
        assert ["made", b"250"] == client.happened

        link.to_client.release()
        await settle()
        assert ["made", b"250", b" Ok"] == client.happened

    async def test_ends_where_it_is_told(self):
        client, server, link = connect()
        link.to_client.end_after(3)
        link.server.write(b"250 Ok")
        await settle()

        assert ["made", b"250", "eof", "NoneType"] == client.happened
        assert ["made", "eof", "NoneType"] == server.happened

    async def test_breaks_where_it_is_told(self):
        client, server, link = connect()
        link.to_client.reset_after(3)
        link.server.write(b"250 Ok")
        await settle()

        assert ["made", b"250", "ConnectionResetError"] == client.happened
        assert ["made", "ConnectionResetError"] == server.happened

    async def test_breaks_at_once_where_nothing_more_may_come(self):
        client, _, link = connect()
        link.to_client.reset_after(0)
        await settle()

        assert ["made", "ConnectionResetError"] == client.happened

    async def test_takes_its_time(self):
        client, _, link = connect()
        link.to_client.delay_seconds = 2.0
        with fake_time() as clock:
            link.server.write(b"250")
            await clock.advance(1)
            assert ["made"] == client.happened
            await clock.advance(1.5)

        assert ["made", b"250"] == client.happened

    async def test_carries_nothing_to_those_who_have_closed(self):
        client, _, link = connect(stays_open=True)
        link.server.write(b"250")
        link.client.close()
        await settle()
        link.to_client.release()
        await settle()

        assert ["made", "NoneType"] == client.happened

    async def test_that_is_late_brings_nothing_to_the_dead(self):
        client, _, link = connect()
        link.to_client.delay_seconds = 5.0
        link.server.write(b"250")
        link.client.abort()
        await settle()

        assert ["made", "NoneType"] == client.happened


class TestStreams:
    async def test_are_read_and_written(self):
        server = Recorder()
        reader, writer, link = await open_memory_connection(server)
        writer.write(b"hello")
        await writer.drain()
        server.transport.write(b"welcome\r\n")
        assert b"welcome\r\n" == await reader.readline()
        writer.close()
        await writer.wait_closed()
        await settle()

        assert ["made", b"hello", "eof", "NoneType"] == server.happened
        assert link.client.is_closing()

    async def test_end_when_they_are_told(self):
        reader, writer, link = await open_memory_connection(Recorder())
        link.to_client.reset_after(0)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
