# SPDX-License-Identifier: Apache-2.0
"""
Connections without sockets: two transports of asyncio, and between them two wires that do as a test says.

    link = MemoryLink.connect(client_protocol, server_protocol)
    link.to_client.cut = byte_by_byte        # how a wire divides what is written
    link.to_client.hold()                    # and when it arrives
    link.to_server.reset_after(100)          # and how far

Nothing arrives before the loop's next turn, and each piece in a turn of its own, as on a socket. What must never happen
on a good day (a reset in the middle of a reply) is one line here. Not here: who is connected. Raises nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self, cast

HIGH_WATER: Final = 64 * 1024
"""Octets under way from which on a writer is told to pause, as a socket's buffer would have it."""


def whole(octets: bytes) -> Iterator[bytes]:
    """
    Divide nothing.
    """
    yield octets


def byte_by_byte(octets: bytes) -> Iterator[bytes]:
    """
    Divide behind each octet.
    """
    for octet in octets:
        yield bytes([octet])


class Wire:
    """
    One direction of a connection: what has been written at one end and has not come to the other.
    """

    def __init__(self) -> None:
        self.written = bytearray()
        """All that was ever written."""
        self.arrived = 0
        """Octets that have come to the other end."""
        self.cut: Callable[[bytes], Iterable[bytes]] = whole
        """How what is written at once is divided into what arrives at once."""
        self.delay_seconds = 0.0
        """How long a piece takes, by the loop's clock, one behind the other."""
        self._pieces: deque[bytes] = deque()
        self._has_eof = False
        self._may_arrive: int | None = None
        self._ends_after: int | None = None
        self._breaks_after: int | None = None
        self._moved: Callable[[], None] = lambda: None

    @property
    def under_way(self) -> int:
        """
        Octets that have been written and have not arrived.
        """
        return sum(map(len, self._pieces))

    def hold(self) -> None:
        """
        Let nothing arrive from now on.
        """
        self._may_arrive = 0

    def release(self, octets: int | None = None) -> None:
        """
        Let held octets arrive, and then no more; without a number, all of them and all that follow.
        """
        self._may_arrive = octets
        self._moved()

    def end_after(self, octets: int) -> None:
        """
        Let the reader see the end of input behind so many octets in all; what is written behind them is lost.
        """
        self._ends_after = octets
        self._moved()

    def reset_after(self, octets: int) -> None:
        """
        Reset the connection, for both, when so many octets in all have arrived.
        """
        self._breaks_after = octets
        self._moved()

    # What the transports call

    def connect(self, moved: Callable[[], None]) -> None:
        """
        Name whom to tell that something may arrive.
        """
        self._moved = moved

    def put(self, octets: bytes) -> None:
        """
        Take what is written.
        """
        self.written += octets
        self._pieces += (bytes(piece) for piece in self.cut(octets) if piece)
        self._moved()

    def put_eof(self) -> None:
        """
        Take the end of what is written.
        """
        self._has_eof = True
        self._moved()

    def drop(self) -> None:
        """
        Forget what is under way.
        """
        self._pieces.clear()

    @property
    def has_news(self) -> bool:
        """
        The other end has something to hear.
        """
        return bool(self._pieces) or self.is_broken or self.is_at_end

    @property
    def is_broken(self) -> bool:
        """
        It has come to where the connection is reset.
        """
        return self._breaks_after is not None and self.arrived >= self._breaks_after

    @property
    def is_at_end(self) -> bool:
        """
        The reader is to see the end of input.
        """
        if self._ends_after is not None and self.arrived >= self._ends_after:
            return True
        return self._has_eof and not self._pieces

    def take(self) -> bytes:
        """
        Return what arrives now; nothing, when nothing does.
        """
        if not self._pieces:
            return b""
        limits = [limit - self.arrived for limit in (self._ends_after, self._breaks_after) if limit is not None]
        if self._may_arrive is not None:
            limits.append(self._may_arrive)
        piece = self._pieces.popleft()
        allowed = max(0, min([*limits, len(piece)]))
        octets, rest = piece[:allowed], piece[allowed:]
        if rest:
            self._pieces.appendleft(rest)
        if self._may_arrive is not None:
            self._may_arrive -= allowed
        self.arrived += allowed
        return octets


class MemoryTransport(asyncio.Transport):
    """
    One end of a connection in memory; `MemoryLink` makes both.

    Args:
        protocol: Who reads here.
        wire: Where it writes.
        incoming: Where it reads.
        extra: What `get_extra_info` knows.
    """

    # asyncio's loop encrypts a transport only when it says so.
    _start_tls_compatible = True

    def __init__(self, protocol: asyncio.BaseProtocol, wire: Wire, incoming: Wire, extra: Mapping[str, object]) -> None:
        super().__init__(dict(extra))
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._outgoing = wire
        self._incoming = incoming
        self._peer: MemoryTransport
        self._timer: asyncio.Handle | None = None
        self._high_water = HIGH_WATER
        self._is_reading = True
        self._has_read_eof = self._has_written_eof = self._is_closing = self._is_lost = self._is_paused = False

    def join(self, peer: "MemoryTransport") -> None:
        """
        Name the other end, and begin.
        """
        self._peer = peer
        self._incoming.connect(self._schedule)
        self._protocol.connection_made(self)
        if self._incoming.has_news:  # it was written before this end was there
            self._schedule()

    # Reading

    def _schedule(self) -> None:
        if self._timer is None and not self._is_lost:
            self._timer = self._loop.call_later(self._incoming.delay_seconds, self._receive)

    def _receive(self) -> None:
        self._timer = None
        if self._is_lost or not self._is_reading:
            return
        octets = self._incoming.take()
        if octets and not self._is_closing:
            _give(self._protocol, octets)
        self._peer.note_room()
        if self._incoming.is_broken:
            self._break()
        elif self._incoming.is_at_end:
            self._end()
        elif octets:
            self._schedule()

    def _end(self) -> None:
        if not (self._has_read_eof or self._is_closing):
            self._has_read_eof = True
            if not cast("asyncio.Protocol", self._protocol).eof_received():
                self.close()

    def _break(self) -> None:
        error = ConnectionResetError("the connection was reset")
        self.lose(error)
        self._peer.lose(error)

    def is_reading(self) -> bool:
        """
        Tell whether what comes in is handed on.
        """
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        """
        Hand nothing on for now.
        """
        self._is_reading = False

    def resume_reading(self) -> None:
        """
        Hand on what came in, and what follows.
        """
        self._is_reading = True
        self._schedule()

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """
        Send octets; after the end they go nowhere, as on a socket.
        """
        if data and not (self._is_closing or self._has_written_eof):
            self._outgoing.put(bytes(data))
            self._pause_writer()

    def _pause_writer(self) -> None:
        if self._outgoing.under_way > self._high_water and not self._is_paused:
            self._is_paused = True
            self._protocol.pause_writing()

    def note_room(self) -> None:
        """
        Note that something written has arrived.
        """
        if self._is_paused and self._outgoing.under_way <= self._high_water // 4:
            self._is_paused = False
            self._protocol.resume_writing()

    def get_write_buffer_size(self) -> int:
        """
        Return how many octets are under way.
        """
        return self._outgoing.under_way

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:  # noqa: ARG002 - asyncio's shape
        """
        Say from how many octets on the writer is told to pause; it goes on at a quarter of them.
        """
        self._high_water = HIGH_WATER if high is None else high

    def can_write_eof(self) -> bool:
        """
        Tell that one direction can end alone.
        """
        return True

    def write_eof(self) -> None:
        """
        End this direction behind what was written.
        """
        if not self._has_written_eof:
            self._has_written_eof = True
            self._outgoing.put_eof()

    # The end

    def close(self) -> None:
        """
        End the connection behind what was written.
        """
        if not self._is_closing:
            self.write_eof()
            self._is_closing = True
            self._loop.call_soon(self.lose, None)

    def abort(self) -> None:
        """
        Reset the connection: what is under way is lost, and the other end is told.
        """
        self._outgoing.drop()
        self._is_closing = True
        self._loop.call_soon(self.lose, None)
        self._loop.call_soon(self._peer.lose, ConnectionResetError("the connection was reset"))

    def _force_close(self, _error: BaseException | None) -> None:
        # What asyncio's TLS calls since Python 3.13, and its own transports have.
        self.abort()

    def lose(self, error: ConnectionResetError | None) -> None:
        """
        Tell the protocol, once, that the connection is gone.
        """
        if not self._is_lost:
            self._is_lost = self._is_closing = True
            if self._timer is not None:
                self._timer.cancel()
            self._protocol.connection_lost(error)

    def is_closing(self) -> bool:
        """
        Tell whether the connection is ending or has ended.
        """
        return self._is_closing

    def get_protocol(self) -> asyncio.BaseProtocol:
        """
        Return who reads here.
        """
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """
        Let somebody else read here.
        """
        self._protocol = protocol


def _give(protocol: asyncio.BaseProtocol, octets: bytes) -> None:
    if isinstance(protocol, asyncio.BufferedProtocol):
        while octets:
            buffer = memoryview(protocol.get_buffer(len(octets)))[: len(octets)]
            buffer[:] = octets[: len(buffer)]
            octets = octets[len(buffer) :]
            protocol.buffer_updated(len(buffer))
    else:
        cast("asyncio.Protocol", protocol).data_received(octets)


@dataclass(frozen=True, slots=True)
class MemoryLink:
    """
    A connection in memory.
    """

    client: MemoryTransport
    """The client's end."""
    server: MemoryTransport
    """The server's end."""
    to_server: Wire
    """What the client writes."""
    to_client: Wire
    """What the server writes."""

    @classmethod
    def connect(
        cls,
        client: asyncio.BaseProtocol,
        server: asyncio.BaseProtocol,
        *,
        to_server: Wire | None = None,
        to_client: Wire | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> Self:
        """
        Connect two protocols in the running loop.

        Args:
            client: Who has connected.
            server: Who was connected to; its `connection_made` is called first, so that it may greet.
            to_server: What the client writes to, if it is to be special before anything is said.
            to_client: What the server writes to, likewise.
            extra: What `get_extra_info` knows at both ends, such as ``peername``.
        """
        to_server = Wire() if to_server is None else to_server
        to_client = Wire() if to_client is None else to_client
        client_end = MemoryTransport(client, to_server, to_client, extra or {})
        server_end = MemoryTransport(server, to_client, to_server, extra or {})
        server_end.join(client_end)
        client_end.join(server_end)
        return cls(client_end, server_end, to_server, to_client)


async def open_memory_connection(
    server: asyncio.BaseProtocol,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, MemoryLink]:
    """
    Connect to a protocol as `asyncio.open_connection` would; returns the wires as well.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    link = MemoryLink.connect(protocol, server)
    return reader, asyncio.StreamWriter(link.client, protocol, reader, loop), link
