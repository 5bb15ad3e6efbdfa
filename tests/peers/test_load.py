# SPDX-License-Identifier: Apache-2.0
"""
Many clients at once, idle ones, and a message far larger than the memory it may cost.
"""

import asyncio
import contextlib
import resource

import pytest

from tests.peers.lmtp_client import LmtpClient

BUSY = 200
IDLE = 1000
USERS = [f"u{number}@example.org" for number in range(50)]
CONTENT = b"Subject: one of many\r\n\r\nHello.\r\n"
LARGE = b"Subject: large\r\n\r\n" + (b"0123456789abcdef" * 4 + b"\r\n") * (30_000_000 // 66)
MEMORY_KIB = 8 * 1024
"""What one large message may cost the process."""


@pytest.fixture(scope="module", autouse=True)
def enough_descriptors():
    """
    Both ends of a thousand sessions need more descriptors than many a login shell gives.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Session:
    """
    A client that waits without a thread of its own.
    """

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, socket, stack):
        reader, writer = await asyncio.open_unix_connection(socket)
        stack.callback(writer.transport.abort)
        session = cls(reader, writer)
        assert "220" == await session.reply()
        assert "250" == await session.command("LHLO client.example")
        return session

    async def reply(self):
        while (line := await self.reader.readline())[3:4] == b"-":
            pass
        return line[:3].decode()

    async def command(self, line):
        self.writer.write(line.encode() + b"\r\n")
        return await self.reply()

    async def deliver(self, recipient):
        replies = [await self.command("MAIL FROM:<eve@example.net>"), await self.command(f"RCPT TO:<{recipient}>")]
        replies.append(await self.command("DATA"))
        self.writer.write(CONTENT)
        replies.append(await self.command("."))
        return replies


DELIVERED = ["250", "250", "354", "250"]


@pytest.mark.slow
class TestManySessions:
    @pytest.mark.guards("ST-11")
    async def test_two_hundred_deliver_at_once(self, start_agent):
        agent = start_agent(*USERS)
        with contextlib.ExitStack() as stack:
            sessions = await asyncio.gather(*(Session.open(agent.socket, stack) for _ in range(BUSY)))
            replies = await asyncio.gather(
                *(session.deliver(USERS[number % 50]) for number, session in enumerate(sessions))
            )

        assert [DELIVERED] * BUSY == replies
        assert [BUSY // 50] * 50 == [len(agent.mailbox(user).files()) for user in USERS]

    async def test_a_thousand_idle_ones_are_served_when_they_wake(self, start_agent):
        agent = start_agent(*USERS)
        with contextlib.ExitStack() as stack:
            sessions = await asyncio.gather(*(Session.open(agent.socket, stack) for _ in range(IDLE)))
            noops = await asyncio.gather(*(session.command("NOOP") for session in sessions[::2]))
            replies = await asyncio.gather(
                *(session.deliver(USERS[number % 50]) for number, session in enumerate(sessions[1::2]))
            )

        assert ["250"] * (IDLE // 2) == noops
        assert [DELIVERED] * (IDLE // 2) == replies


@pytest.mark.slow
class TestLargeMessage:
    def test_costs_less_memory_than_a_quarter_of_itself(self, start_agent):
        agent = start_agent(*USERS)
        with LmtpClient(agent.socket) as client:
            client.deliver("eve@example.net", USERS[:2], CONTENT)
            before = agent.memory_kib("VmRSS")
            answered = client.deliver("eve@example.net", USERS[:2], LARGE)
            peak = agent.memory_kib("VmHWM")

        assert USERS[:2] == answered.delivered
        assert peak - before < MEMORY_KIB
        for user in USERS[:2]:
            assert any(message.endswith(LARGE.replace(b"\r\n", b"\n")) for message in agent.mailbox(user).messages())
