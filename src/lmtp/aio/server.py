# SPDX-License-Identifier: Apache-2.0
"""
A server: its listeners, its connections, and how they come to an end.

    async with serve(handler, "127.0.0.1:2424", "unix:/run/lmtp.sock") as server:
        ...

Not here: what happens on a connection (connection.py). Raises ValueError for a bad endpoint and OSError when one
can't be opened.
"""

import asyncio
import errno
import itertools
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from lmtp.aio.admission import Admittance
from lmtp.aio.connection import Connection
from lmtp.aio.deadlines import Deadlines
from lmtp.aio.handler import Handler, VerifiesRecipients
from lmtp.aio.listeners import (
    Endpoint,
    TcpEndpoint,
    UnixEndpoint,
    listen,
    parse_endpoint,
    remove_unix_socket,
    socket_identity,
)
from lmtp.aio.login import THREADS, NobodyAuthenticates
from lmtp.aio.spool import MemoryBudget, Spool
from lmtp.aio.threads import Threads
from lmtp.aio.tls import ServerTls
from lmtp.observe import events as observed
from lmtp.observe.observer import NullObserver, Observer
from lmtp.protocol import reply
from lmtp.protocol.dialect import LMTP, Dialect
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.reply import Reply
from lmtp.protocol.sasl import Authenticator

_READ_BYTES: Final = 64 * 1024
"""What is read at a time, and so, besides a command line, the most a session can hold that nobody has looked at."""
_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """
    The settings of a server.
    """

    server_name: str = field(default_factory=socket.getfqdn)
    """Our name in greetings and trace fields."""
    dialect: Dialect = LMTP
    """What is spoken."""
    admittance: Admittance = field(default_factory=Admittance)
    """What clients are asked and offered, and who may do what."""
    limits: Limits = field(default_factory=Limits)
    """How much a client may ask of a session."""
    leniency: Leniency = Leniency.NONE
    """Which departures from the grammar are let pass."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    """How long is waited for whom."""
    connections: int = 2000
    """Connections at once; more are answered 421."""
    memory_bytes: int = 64 * 1024 * 1024
    """Content that all sessions together keep in memory; the rest is kept in files."""
    spool_threshold_bytes: int = 256 * 1024
    """Content that one transaction keeps in memory at the most."""
    spool_folder: str = ""
    """Where the files are made; empty for the system's own choice."""


class Server:
    """
    A running server; `serve` makes one.
    """

    def __init__(
        self,
        handler: Handler,
        settings: ServerSettings,
        observer: Observer,
        *,
        tls: ServerTls | None = None,
        authenticator: Authenticator | None = None,
    ) -> None:
        self.handler = handler
        """Who delivers."""
        self.verifier = handler if isinstance(handler, VerifiesRecipients) else None
        """Who is asked at RCPT, if anybody; found out once, for the check is slow."""
        self.settings = settings
        """The settings it was started with."""
        self.observer = observer
        """Who is told."""
        self.tls = tls
        """The certificate, if there is one."""
        self.authenticator = authenticator or NobodyAuthenticates()
        """Who checks credentials."""
        self.login_threads = Threads("login", THREADS)
        """Where credentials are checked, for all sessions together."""
        self._memory = MemoryBudget(settings.memory_bytes)
        self.input_buffer = memoryview(bytearray(_READ_BYTES))
        """Where all connections read into, one at a time."""
        self._listeners: list[_Listener] = []
        self._connections: set[Connection] = set()
        self._is_draining = False
        self._all_gone = asyncio.Event()
        self._all_gone.set()
        self._numbers = itertools.count(int(time.time() * 1_000_000))

    @property
    def endpoints(self) -> list[str]:
        """
        Where it listens, with the ports the system chose.
        """
        return [text for listener in self._listeners for text in listener.addresses]

    @property
    def connections(self) -> int:
        """
        How many connections are open or still being delivered for.
        """
        return len(self._connections)

    async def listen(self, endpoint: Endpoint) -> None:
        """
        Take connections at one endpoint more.

        Raises:
            OSError: it can't be opened; the text names it.
            ValueError: it begins with TLS, and there is no certificate.
        """
        if isinstance(endpoint, TcpEndpoint) and endpoint.is_tls and self.tls is None:
            raise ValueError(f"{endpoint} begins with TLS, and there is no certificate")
        try:
            opened = await listen(endpoint, lambda: Connection(self, endpoint))
        except OSError as error:
            number = error.errno or errno.EINVAL
            raise OSError(number, f"can't listen at {endpoint}: {error.strerror or error}") from error
        listener = _Listener(endpoint, opened)
        self._listeners.append(listener)
        for address in listener.addresses:
            self.observer.observe(observed.ListenerOpened(endpoint=address))

    async def drain(self) -> bool:
        """
        Answer newcomers 421, let open transactions come to their end, then close; those that take too long get 421.

        Returns:
            Whether each came to its own end.
        """
        if not self._is_draining:
            self._is_draining = True
            self.observer.observe(observed.Draining(sessions=len(self._connections)))
        for connection in list(self._connections):
            connection.drain()
        try:
            async with asyncio.timeout(self.settings.deadlines.drain_seconds):
                await self._all_gone.wait()
        except TimeoutError:
            await self.stop()
            return False
        await self._close_listeners()
        return True

    async def stop(self, patience_seconds: float | None = None) -> None:
        """
        Close every connection now; what has been answered is sent, what has not is deferred.

        Args:
            patience_seconds: How long clients may take to read that; by default the deadline for closing.
        """
        self._is_draining = True
        await self._close_listeners()
        for connection in list(self._connections):
            connection.stop()
        self.login_threads.close()
        try:
            async with asyncio.timeout(patience_seconds or self.settings.deadlines.closing_seconds):
                await self._all_gone.wait()
        except TimeoutError:
            for connection in list(self._connections):
                connection.cut()

    async def _close_listeners(self) -> None:
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
            for address in listener.addresses:
                self.observer.observe(observed.ListenerClosed(endpoint=address))

    # What connections call.

    def next_session_id(self) -> str:
        """
        Return a name no other session has: microseconds since 1970 at the start, counted on, in base 32.
        """
        number = next(self._numbers)
        digits = []
        while number:
            number, digit = divmod(number, 32)
            digits.append(_DIGITS[digit])
        return "".join(reversed(digits))

    def admit(self, connection: Connection) -> Reply | None:
        """
        Count a new connection in, or return the reply it is sent away with (RFC 5321 §3.8).
        """
        if self._is_draining:
            return reply.SHUTTING_DOWN
        if len(self._connections) >= self.settings.connections:
            return reply.TOO_MANY_CONNECTIONS
        self._connections.add(connection)
        self._all_gone.clear()
        return None

    def make_spool(self) -> Spool:
        """
        Return what a content is kept in.
        """
        return Spool(self._memory, self.settings.spool_threshold_bytes, self.settings.spool_folder or None)

    def dismiss(self, connection: Connection) -> None:
        """
        Count a connection out: it is closed and nothing is being delivered for it.
        """
        self._connections.discard(connection)
        if not self._connections:
            self._all_gone.set()


class _Listener:
    """
    One endpoint that is open.
    """

    def __init__(self, endpoint: Endpoint, server: asyncio.Server) -> None:
        self._endpoint = endpoint
        self._server = server
        self._identity = socket_identity(endpoint) if isinstance(endpoint, UnixEndpoint) else (0, 0)
        self.addresses = _addresses(endpoint, server)

    def close(self) -> None:
        self._server.close()
        if isinstance(self._endpoint, UnixEndpoint):
            remove_unix_socket(self._endpoint, self._identity)


def _addresses(endpoint: Endpoint, server: asyncio.Server) -> list[str]:
    if isinstance(endpoint, UnixEndpoint):
        return [str(endpoint)]
    names = [each.getsockname() for each in server.sockets]
    return [str(TcpEndpoint(name[0], name[1], is_tls=endpoint.is_tls)) for name in names]


@asynccontextmanager
async def serve(
    handler: Handler,
    *endpoints: Endpoint | str,
    settings: ServerSettings | None = None,
    observer: Observer | None = None,
    tls: ServerTls | None = None,
    authenticator: Authenticator | None = None,
) -> AsyncIterator[Server]:
    """
    Serve LMTP at some endpoints while the body runs, and come to an orderly end when it leaves (RFC 5321 §3.8).

    Args:
        handler: Who takes the messages.
        endpoints: Where: ``host:port``, ``[v6-address]:port`` or ``unix:/path``, as text or value.
        settings: Names, limits, deadlines; sensible ones by default.
        observer: Who is told what happens; nobody by default.
        tls: A certificate: STARTTLS is offered, and an endpoint may begin with TLS.
        authenticator: Who checks credentials: AUTH is offered.

    Raises:
        ValueError: an endpoint is none, is TCP port 25 (RFC 2033 §5), or begins with TLS and there is no certificate.
        OSError: an endpoint can't be opened.
    """
    server = Server(
        handler,
        settings or ServerSettings(),
        observer or NullObserver(),
        tls=tls,
        authenticator=authenticator,
    )
    try:
        for endpoint in endpoints:
            await server.listen(parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint)
        yield server
        await server.drain()
    finally:
        await server.stop()
