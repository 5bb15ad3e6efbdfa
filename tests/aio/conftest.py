# SPDX-License-Identifier: Apache-2.0
"""
A server in the test's own loop, a client that speaks plain octets, and handlers that do as they are told.
"""

import asyncio
import contextlib

import pytest

import lmtp
from lmtp.testing.clock import FakeClock


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    return "asyncio", {"use_uvloop": request.param}


class Recorder:
    """
    An observer that keeps everything.
    """

    def __init__(self):
        self.events = []

    def observe(self, event):
        self.events.append(event)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


class Inbox:
    """
    A handler that delivers everything, unless told otherwise for a local part.
    """

    def __init__(self, **outcomes):
        self.outcomes = outcomes
        self.contents = []
        self.transactions = []

    async def deliver(self, transaction):
        self.transactions.append(transaction)
        self.contents.append(transaction.content.read())
        for recipient in transaction.recipients:
            recipient.settle(self.outcomes.get(recipient.forward_path.mailbox.local_part, lmtp.Delivered("here")))


class Client:
    """
    One connection, spoken to in octets.
    """

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def read_reply(self):
        lines = [await self.reader.readline()]
        while lines[-1][3:4] == b"-":
            lines.append(await self.reader.readline())
        return b"".join(lines).decode()

    async def read_codes(self, count):
        return [(await self.read_reply())[:3] for _ in range(count)]

    async def say(self, *lines):
        """
        Send lines in one go and return the codes of as many replies.
        """
        self.send(*lines)
        return await self.read_codes(len(lines))

    def send(self, *lines):
        self.writer.write(b"".join(line.encode() + b"\r\n" for line in lines))

    async def open_transaction(self, *local_parts):
        """
        Come as far as the 354.
        """
        await self.say("LHLO client.example", "MAIL FROM:<sender@example.org>")
        await self.say(*(f"RCPT TO:<{local_part}@example.org>" for local_part in local_parts))
        assert ["354"] == await self.say("DATA")

    async def read_to_end(self):
        return (await self.reader.read()).decode()


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def start(tmp_path, recorder):
    """
    Start a server for a handler, on a Unix socket; yields the server and a function that connects.
    """

    @contextlib.asynccontextmanager
    async def start_server(handler, **settings):
        path = tmp_path / "lmtp.sock"
        clients = []

        async def connect(*, greeted=True):
            client = Client(*await asyncio.open_unix_connection(str(path)))
            clients.append(client)
            if greeted:
                assert (await client.read_reply()).startswith("220 ")
            return client

        settings = lmtp.ServerSettings(**({"server_name": "store.example"} | settings))
        async with lmtp.serve(handler, f"unix:{path}", settings=settings, observer=recorder) as server:
            server.connect = connect
            try:
                yield server
            finally:
                for client in clients:
                    client.writer.close()
                    with contextlib.suppress(OSError):
                        await client.writer.wait_closed()

    return start_server


@pytest.fixture
def clock(monkeypatch, anyio_backend):
    """
    The running loop's clock, in the test's hand.
    """
    if anyio_backend[1]["use_uvloop"]:
        pytest.skip("uvloop keeps its own time")
    clock = FakeClock()
    monkeypatch.setattr(asyncio.BaseEventLoop, "time", lambda _loop: clock())
    return clock
