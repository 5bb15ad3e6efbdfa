# SPDX-License-Identifier: Apache-2.0
"""
A server that says what a test tells it to, whatever a client does: the peer of clients.
"""

import asyncio
import contextlib

LHLO = b"250-store.example\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 SIZE 100000000\r\n"
PLAIN_LHLO = b"250 store.example\r\n"


class Peer:
    """
    One connection of a client.
    """

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.heard = []

    async def hear(self, *verbs):
        """
        Read a command line for each verb.
        """
        for verb in verbs:
            line = (await self.reader.readuntil(b"\r\n")).decode()
            self.heard.append(line.rstrip())
            assert line.upper().startswith(verb), (verb, line)

    async def hear_content(self):
        self.heard.append(await self.reader.readuntil(b"\r\n.\r\n"))

    def say(self, *lines):
        self.writer.write(b"".join(line.encode() + b"\r\n" if isinstance(line, str) else line for line in lines))

    async def greet(self, lhlo=LHLO):
        self.say("220 store.example LMTP")
        await self.hear("LHLO")
        self.say(lhlo)

    async def take(self, *rcpts, content=("250 2.0.0 stored",)):
        """
        Take part in one transaction of a client that pipelines: what RCPT is answered, and then the content.
        """
        await self.hear("MAIL", *["RCPT"] * len(rcpts), "DATA")
        self.say("250 2.1.0 ok", *rcpts, "354 go on")
        await self.hear_content()
        self.say(*content)

    async def is_left(self, *, is_polite=True):
        """
        Read until the client goes.
        """
        with contextlib.suppress(ConnectionError):
            while octets := await self.reader.read(65536):
                self.heard.append(octets)
                if octets.endswith(b"QUIT\r\n") and is_polite:
                    self.say("221 2.0.0 bye")


@contextlib.asynccontextmanager
async def serving(path, *talks):
    """
    Serve on a Unix socket: the first connection is spoken to by the first coroutine, the last by all that follow.
    """
    peers, tasks = [], []

    async def on_connection(reader, writer):
        talk = talks[min(len(peers), len(talks) - 1)]
        peer = Peer(reader, writer)
        peers.append(peer)
        tasks.append(asyncio.current_task())
        try:
            await talk(peer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over; asyncio's streams complain of a task that was cancelled
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    server = await asyncio.start_unix_server(on_connection, path, limit=1 << 24)
    try:
        yield peers
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
