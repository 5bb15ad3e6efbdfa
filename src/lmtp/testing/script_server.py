# SPDX-License-Identifier: Apache-2.0
"""
Play scripts to real clients: over TCP, over a Unix socket, or in memory.

    async with scripted_server("rcpt 2: 452 4.2.2 Full after 3 s") as server:
        ...  # connect to server.endpoint
    assert server.commands[-1] == b"QUIT"

The first connection gets the first script, the second the second, and whoever comes later the last. Waiting goes by the
loop's clock. Synchronous tests wrap it in `in_thread`. Raises `ScriptError` for a bad script and OSError.
"""

import asyncio
import contextlib
import itertools
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from lmtp.testing.script import Close, Deed, Reset, Say, Script, Stall, Wait
from lmtp.testing.script_session import ScriptedSession, StartTls

_LINGER_NOT: Final = struct.pack("ii", 1, 0)
"""Closing throws away what was not sent and resets the connection."""


def _admit(_connection: "ScriptedConnection") -> None:
    pass


class ScriptedConnection(asyncio.Protocol):
    """
    One connection of a scripted server.

    Args:
        script: What it does.
        tls: What STARTTLS is done with; without it, what follows the 220 is clear.
        admit: Called when the connection is there, before anything is said on it.
    """

    def __init__(
        self, script: Script, tls: ssl.SSLContext | None = None, admit: "Callable[[ScriptedConnection], None]" = _admit
    ) -> None:
        self.session = ScriptedSession(script)
        """What was said on it."""
        self.closed = asyncio.Event()
        """Set when the connection is gone."""
        self._tls = tls
        self._admit = admit
        self._transport: asyncio.Transport
        self._deeds: deque[Deed | StartTls] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._upgrade: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Greet the client.
        """
        self._transport = transport  # type: ignore[assignment] # uvloop's are no subclass of asyncio's
        self._admit(self)
        self._do(self.session.begin())

    def data_received(self, data: bytes) -> None:
        """
        Hear the client.
        """
        self._do(self.session.receive_data(data))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        """
        Stop waiting.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._deeds.clear()
        self.closed.set()

    def cut(self) -> None:
        """
        End the connection, whatever is going on.
        """
        self._transport.abort()

    def _do(self, deeds: list[Deed | StartTls]) -> None:
        self._deeds += deeds
        if not self._is_busy:
            self._go_on()

    def _go_on(self) -> None:
        self._timer = None
        while self._deeds and not self._is_busy:
            self._perform(self._deeds.popleft())

    @property
    def _is_busy(self) -> bool:
        return self._timer is not None or self._upgrade is not None

    def _perform(self, deed: Deed | StartTls) -> None:
        match deed:
            case Say(octets):
                self._transport.write(octets)
            case Wait(seconds):
                self._timer = asyncio.get_running_loop().call_later(seconds, self._go_on)
            case Close():
                self._transport.close()
            case Reset():
                self._reset()
            case Stall():
                self._transport.pause_reading()
            case StartTls() if self._tls is not None:
                self._transport.pause_reading()
                self._upgrade = asyncio.ensure_future(self._start_tls(self._tls))

    def _reset(self) -> None:
        connected = self._transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self._transport.abort()

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # the client has gone, or does not want us: connection_lost says so
            encrypted = await loop.start_tls(self._transport, self, context, server_side=True)
            self._transport = encrypted  # type: ignore[assignment] # None only when the loop is closed meanwhile
        self._upgrade = None
        self._go_on()


class ScriptedServer:
    """
    A server that plays scripts; `scripted_server` makes one that listens, `memory_network` connects to it without.

    Args:
        *scripts: A script for each connection, as text or value; the last is for all that follow.
        tls: What STARTTLS is done with.
    """

    def __init__(self, *scripts: Script | str, tls: ssl.SSLContext | None = None) -> None:
        self.endpoint = ""
        """Where it listens, as `lmtp.connect` wants it; empty: only in memory."""
        self.connections: list[ScriptedConnection] = []
        """The connections there were, in their order."""
        self._accepted = itertools.count()
        self._is_stopped = False
        self._scripts = [Script.parse(script) if isinstance(script, str) else script for script in scripts or ("",)]
        self._tls = tls

    @property
    def sessions(self) -> list[ScriptedSession]:
        """
        What was said on each connection.
        """
        return [connection.session for connection in self.connections]

    @property
    def commands(self) -> list[bytes]:
        """
        The command lines of all sessions, without CRLF.
        """
        return [line for session in self.sessions for line in session.commands]

    @property
    def contents(self) -> list[bytes]:
        """
        The contents that came to their end, of all sessions.
        """
        return [content for session in self.sessions for content in session.contents]

    def accept(self) -> ScriptedConnection:
        """
        Return the protocol for one connection more.
        """
        number = min(next(self._accepted), len(self._scripts) - 1)
        return ScriptedConnection(self._scripts[number], self._tls, self._admit)

    def _admit(self, connection: ScriptedConnection) -> None:
        self.connections.append(connection)
        if self._is_stopped:
            connection.cut()

    async def stop(self) -> None:
        """
        Cut all connections, and wait until they are gone.
        """
        self._is_stopped = True
        for connection in self.connections:
            if not connection.closed.is_set():
                connection.cut()
                await connection.closed.wait()


@asynccontextmanager
async def scripted_server(
    *scripts: Script | str, path: Path | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedServer]:
    """
    Play scripts to whoever connects while the body runs; nothing is left of it afterwards.

    Args:
        *scripts: A script for each connection, as text or value; the last is for all that follow.
        path: The Unix socket to be made; without it, a port of the loopback the system chooses.
        tls: What STARTTLS is done with.

    Raises:
        ScriptError: a script means nothing.
        OSError: the socket can't be made.
    """
    server = ScriptedServer(*scripts, tls=tls)
    loop = asyncio.get_running_loop()
    if path is None:
        listener = await loop.create_server(server.accept, "127.0.0.1", 0)
        server.endpoint = "{}:{}".format(*listener.sockets[0].getsockname())
    else:
        listener = await loop.create_unix_server(server.accept, str(path))
        server.endpoint = f"unix:{path}"
    try:
        yield server
    finally:
        listener.close()
        await server.stop()
