# SPDX-License-Identifier: Apache-2.0
"""
One connection to the server under test: raw octets out, replies in, everything recorded.

Not here: what is said, and what it means (session.py). Nothing waits without a limit: reading raises TimeoutError
when it is over. A connection the server cut reads as ended and swallows what is sent, with a note in the transcript;
what the server said before it is read all the same, which is why this is a protocol and no asyncio stream.
"""

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass
from typing import Final, Self, cast

from lmtp.conformance.replies import WireReply, continues
from lmtp.conformance.transcript import Transcript

MAX_LINE: Final = 64 * 1024
"""Octets of a line at most; what is longer is cut there, so that no server fills our memory."""
MAX_LINES: Final = 1000
"""Lines of a reply at most."""
MAX_UNREAD: Final = 1024 * 1024
"""Octets a server may send ahead of what we read."""


@dataclass(frozen=True, slots=True)
class TcpTarget:
    """
    A server on a TCP port.
    """

    host: str
    """A name or an address, without brackets."""
    port: int
    """Its port."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixTarget:
    """
    A server on a Unix socket.
    """

    path: str
    """Where the socket is."""
    host: str = "localhost"
    """What a certificate must be for."""

    def __str__(self) -> str:
        return f"unix:{self.path}"


Target = TcpTarget | UnixTarget
"""Where the server under test is."""


class _Inbox(asyncio.Protocol):
    """
    What has come, and whether more can.
    """

    def __init__(self) -> None:
        self.octets = bytearray()
        self.has_ended = False
        self.news = asyncio.Event()
        self.is_writable = asyncio.Event()
        self.is_writable.set()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.octets += data
        self.news.set()
        if len(self.octets) > MAX_UNREAD and self.transport is not None:
            self.transport.pause_reading()

    def take(self, size: int) -> bytes:
        """
        Return so many octets, and let more come.
        """
        taken = bytes(self.octets[:size])
        del self.octets[:size]
        if len(self.octets) <= MAX_UNREAD and self.transport is not None:
            self.transport.resume_reading()
        return taken

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and self.transport is not None and self.transport.get_extra_info("ssl_object") is None:
            self._rescue(self.transport.get_extra_info("socket").fileno())
        self._end()

    def pause_writing(self) -> None:
        self.is_writable.clear()

    def resume_writing(self) -> None:
        self.is_writable.set()

    def _rescue(self, descriptor: int) -> None:
        """
        Read what is left in the socket: a server that answers and closes makes our next write fail, not our reading.
        """
        try:
            while len(self.octets) <= MAX_UNREAD and (octets := os.read(descriptor, 65536)):
                self.octets += octets
        except OSError:
            return

    def _end(self) -> None:
        self.has_ended = True
        self.news.set()
        self.is_writable.set()


class Wire:
    """
    One connection; made by `connect`, ended by `close`.
    """

    def __init__(self, transport: asyncio.Transport, inbox: _Inbox, transcript: Transcript) -> None:
        self._transport = transport
        self._inbox = inbox
        self._transcript = transcript

    @classmethod
    async def connect(
        cls, target: Target, transcript: Transcript, *, tls: ssl.SSLContext | None, timeout_seconds: float
    ) -> Self:
        """
        Open a connection.

        Raises:
            ssl.SSLError: there is somebody, and no TLS.
            OSError: nobody answers there, or it took too long.
        """
        loop = asyncio.get_running_loop()
        name = target.host if tls else None
        async with asyncio.timeout(timeout_seconds):
            if isinstance(target, TcpTarget):
                made = await loop.create_connection(_Inbox, target.host, target.port, ssl=tls, server_hostname=name)
            else:
                made = await loop.create_unix_connection(_Inbox, target.path, ssl=tls, server_hostname=name)
        transport, inbox = made
        connection = transport.get_extra_info("socket")
        if connection.family != socket.AF_UNIX:
            # Octets must go out in the segments a case cuts them into.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(transport, inbox, transcript)

    async def send(self, octets: bytes, *, timeout_seconds: float, shown: bytes | None = None) -> None:
        """
        Send octets.

        Args:
            octets: What goes on the wire.
            timeout_seconds: How long the server may take to read it.
            shown: What the transcript shows in their place: secrets.

        Raises:
            TimeoutError: the server does not read.
        """
        self._transcript.client(octets if shown is None else shown)
        if not self._inbox.has_ended:
            self._transport.write(octets)
            async with asyncio.timeout(timeout_seconds):
                await self._inbox.is_writable.wait()
        if self._inbox.has_ended:
            self._transcript.note("the connection was closed before all of this was sent")

    async def read_reply(self, timeout_seconds: float) -> WireReply | None:
        """
        Read one reply, or None when the server has closed.

        Raises:
            TimeoutError: none came in time.
        """
        lines: list[bytes] = []
        try:
            async with asyncio.timeout(timeout_seconds):
                while line := await self._read_line():
                    lines.append(line)
                    if not continues(line) or len(lines) == MAX_LINES:
                        break
        finally:
            for line in lines:
                self._transcript.server(line)
        return WireReply(tuple(lines)) if lines else None

    async def is_quiet(self, seconds: float) -> bool:
        """
        Wait that long; tell whether nothing came, not even the end.
        """
        if not self._inbox.octets and not self._inbox.has_ended:
            self._inbox.news.clear()
            waiter = asyncio.ensure_future(self._inbox.news.wait())
            await asyncio.wait([waiter], timeout=seconds)
            waiter.cancel()
        return not self._inbox.octets and not self._inbox.has_ended

    @property
    def pending(self) -> bytes:
        """
        What has come and was not read yet.
        """
        return bytes(self._inbox.octets)

    @property
    def tls_version(self) -> str:
        """
        The version of TLS in use, or nothing.
        """
        secured = self._transport.get_extra_info("ssl_object")
        return str(secured.version()) if secured else ""

    async def start_tls(self, context: ssl.SSLContext, server_name: str, *, timeout_seconds: float) -> None:
        """
        Begin TLS. What has come in clear and was not read stays where it is.

        Raises:
            OSError: the handshake failed or took too long.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_seconds):
            # Nothing is returned when the server closes in the middle of the handshake.
            secured = await loop.start_tls(self._transport, self._inbox, context, server_hostname=server_name)
        if secured is None:
            raise ConnectionResetError("the server has closed")
        self._transport = self._inbox.transport = secured
        self._transcript.note("TLS begins")

    def end_sending(self) -> None:
        """
        Close our half; a connection with TLS has none to close.
        """
        self._transcript.note("the client closes its side")
        self._transport.write_eof()

    async def close(self) -> None:
        """
        Cut the connection.
        """
        self._transport.abort()
        # One turn of the loop is what the socket needs to be closed.
        await asyncio.sleep(0)

    async def _read_line(self) -> bytes:
        buffer = self._inbox.octets
        while (end := buffer.find(b"\n")) < 0 and len(buffer) < MAX_LINE and not self._inbox.has_ended:
            self._inbox.news.clear()
            await self._inbox.news.wait()
        if not buffer:
            self._transcript.note("the server has closed")
            return b""
        size = end + 1 if end >= 0 else min(len(buffer), MAX_LINE)
        return self._inbox.take(size)
