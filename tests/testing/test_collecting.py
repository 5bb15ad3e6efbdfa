# SPDX-License-Identifier: Apache-2.0
"""
The server that keeps what it gets, and refuses whom it is told to.
"""

import asyncio
import smtplib

import pytest

import lmtp
from lmtp.testing.background import in_thread
from lmtp.testing.collecting import collecting_server

MESSAGE = b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\n.hi\r\n"


async def deliver(server, *recipients, sender="me@example.org"):
    async with lmtp.connect(server.endpoint) as client:
        results = await client.send(lmtp.OutgoingEnvelope.parse(sender, *recipients), MESSAGE)
    return [str(result.reply) for result in results]


class TestServer:
    async def test_keeps_what_it_gets(self):
        async with collecting_server() as server:
            await deliver(server, "ann@example.org", "bob@example.org")
            [message] = server.messages

        assert MESSAGE == message.content
        assert "grüße" == message.email["Subject"]
        assert "me@example.org" == message.reverse_path
        assert ["ann@example.org", "bob@example.org"] == message.recipients
        assert lmtp.ReversePath.parse(b"<me@example.org>") == message.envelope.reverse_path

    async def test_knows_mail_from_nobody(self):
        async with collecting_server() as server:
            await deliver(server, "ann@example.org", sender="")

        assert "" == server.messages[0].reverse_path

    async def test_refuses_whom_it_is_told_to(self):
        async with collecting_server() as server:
            server.refuse("bob@example.org", "452 4.2.2 Full")
            server.fail("carl@*", lmtp.Failed("5.2.1"))
            replies = await deliver(server, "ann@example.org", "bob@example.org", "carl@example.org")

        assert ["250 2.0.0 <ann@example.org> Delivered", "452 4.2.2 <bob@example.org> Full"] == replies[:2]
        assert replies[2].startswith("550 5.2.1 <carl@example.org>")
        assert [["ann@example.org"]] == [message.recipients for message in server.messages]

    async def test_keeps_nothing_that_nobody_got(self):
        async with collecting_server() as server:
            server.fail("*", "451 4.3.0")
            await deliver(server, "ann@example.org", "bob@example.org")

        assert [] == server.messages

    async def test_goes_by_what_it_was_told_last(self):
        async with collecting_server() as server:
            server.refuse("ann@example.org", "550 5.1.1")
            server.refuse("*", "451 4.3.0")
            first = await deliver(server, "ann@example.org")
            server.refuse("ann@example.org", "550 5.1.1")
            second = await deliver(server, "ann@example.org")

        assert ["451", "550"] == [first[0][:3], second[0][:3]]

    async def test_forgets_everything_when_cleared(self):
        async with collecting_server() as server:
            await deliver(server, "ann@example.org")
            server.refuse("ann@example.org", "550 5.1.1")
            server.fail("ann@example.org", "550 5.1.1")
            server.clear()
            assert [] == server.messages
            await deliver(server, "ann@example.org")

        assert 1 == len(server.messages)

    @pytest.mark.parametrize("reply", ["250 2.0.0 Ok", "no", "452 5.2.2 Full", "550 4.2.2"])
    async def test_wants_a_refusal(self, reply):
        async with collecting_server() as server:
            with pytest.raises(ValueError, match=r"refusal|goes with"):
                server.refuse("ann@example.org", reply)

    async def test_has_a_host_and_a_port_only_on_tcp(self, place):
        async with collecting_server() as server:
            assert server.endpoint == f"{server.host}:{server.port}"
        async with collecting_server(f"unix:{place}/lmtp.sock") as server:
            with pytest.raises(ValueError, match="no port"):
                _ = server.port

    async def test_has_the_settings_it_is_given(self):
        settings = lmtp.ServerSettings(server_name="store.example", limits=lmtp.Limits(message_bytes=65536))
        async with collecting_server(settings=settings) as server, lmtp.connect(server.endpoint) as client:
            assert 65536 == client.offered.size_limit_bytes
            assert "store.example" == client.offered.server_name

    async def test_does_not_wait_for_those_who_stay(self):
        async with collecting_server() as server:
            client = await lmtp.connect(server.endpoint)
        await client.close()

        assert not client.is_usable


class TestThread:
    def test_serves_clients_that_block(self):
        with in_thread(collecting_server()) as server:
            with smtplib.LMTP(server.host, server.port) as client:
                client.sendmail("me@example.org", ["ann@example.org"], MESSAGE)
            [message] = server.wait_for(1)

        assert ["ann@example.org"] == message.recipients

    def test_says_how_many_came_when_it_is_too_late(self):
        with in_thread(collecting_server()) as server, pytest.raises(TimeoutError, match="0 of 2 messages"):
            server.wait_for(2, timeout_seconds=0.001)

    async def test_lets_asynchronous_tests_wait(self):
        with in_thread(collecting_server()) as server:
            waiting = asyncio.create_task(asyncio.to_thread(server.wait_for, 2))
            await deliver(server, "ann@example.org")
            await deliver(server, "bob@example.org")
            messages = await waiting

        assert [["ann@example.org"], ["bob@example.org"]] == [message.recipients for message in messages]
