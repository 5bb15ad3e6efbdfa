# SPDX-License-Identifier: Apache-2.0
"""
How the scripted server reads and writes: lines, contents, octets and replies.

Strict in what ends a line and a content; each is a method, so that a faulty server can be less strict. Not here: what
is said (scripted.py). Raises OSError when the client has gone.
"""

import asyncio


class Talk:
    """
    The octets of one connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.buffer = bytearray()
        self.is_over = False

    def reply(self, code: int, status: str, *lines: str) -> None:
        """
        Send one reply; without a status when it is empty.
        """
        prefix = f"{status} " if status else ""
        for number, line in enumerate(lines, 1):
            self.writer.write(self.reply_line(code, " " if number == len(lines) else "-", prefix + line))

    def reply_line(self, code: int, mark: str, text: str) -> bytes:
        """
        Return one line of a reply.
        """
        return f"{code}{mark}{text}\r\n".encode()

    async def fill(self) -> bool:
        """
        Read some more; tell whether there was any.
        """
        await self.writer.drain()
        octets = await self.reader.read(65536)
        self.buffer += octets
        return bool(octets)

    async def read_until(self, end: bytes) -> bytes:
        """
        Read up to some octets, which are left out; nothing at all at the end of input.
        """
        begin = 0
        while (found := self.buffer.find(end, begin)) < 0:
            begin = max(0, len(self.buffer) - len(end))
            if not await self.fill():
                self.is_over = True
                return b""
        octets = bytes(self.buffer[:found])
        del self.buffer[: found + len(end)]
        return octets

    async def read_octets(self, count: int) -> bytes:
        """
        Read so many octets.
        """
        while len(self.buffer) < count:
            if not await self.fill():
                self.is_over = True
                return b""
        octets = bytes(self.buffer[:count])
        del self.buffer[:count]
        return octets

    async def read_line(self) -> bytes:
        """
        Read a command line.
        """
        return await self.read_until(b"\r\n")

    async def read_content(self) -> bytes:
        """
        Read a content of DATA up to its final dot.
        """
        # As if a line had ended before it, so that a dot at once is found too.
        self.buffer[:0] = b"\r\n"
        return (await self.read_until(b"\r\n.\r\n") + b"\r\n")[2:]

    def unstuff(self, content: bytes) -> bytes:
        """
        Take the dots of the transport off.
        """
        return (b"\r\n" + content).replace(b"\r\n.", b"\r\n")[2:]
