# SPDX-License-Identifier: Apache-2.0
"""
An endpoint that is no socket: whoever connects to it in the running loop gets a connection in memory.

    server = ScriptedServer("content 2: close")
    with memory_network(server.accept) as network:
        async with lmtp.connect(network.endpoint) as client:
            network.links[0].to_client.reset_after(300)

Clients need not know: they connect to a Unix socket that the loop finds here. Not here: sockets that are files, what
is done to the octets (memory.py). Raises nothing.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from lmtp.testing.clock import changed
from lmtp.testing.memory import MemoryLink, MemoryTransport, Wire

Prepare = Callable[[Wire, Wire], None]
"""Gets the wire to the server and the wire to the client before anything is said."""

_NUMBERS: Final = itertools.count(1)


def _as_they_are(_to_server: Wire, _to_client: Wire) -> None:
    pass


class MemoryNetwork:
    """
    The connections of one endpoint. Made by `memory_network`.
    """

    def __init__(self, accept: Callable[[], asyncio.BaseProtocol], prepare: Prepare) -> None:
        self.path = f"/in-memory/{next(_NUMBERS)}"
        """The path of the Unix socket that is none."""
        self.links: list[MemoryLink] = []
        """The connections that were made, in their order."""
        self.is_refusing = False
        """Whoever connects is told that nobody listens."""
        self._accept = accept
        self._prepare = prepare

    @property
    def endpoint(self) -> str:
        """
        The endpoint, as `lmtp.connect` wants it.
        """
        return f"unix:{self.path}"

    def connect(self, client: asyncio.BaseProtocol) -> MemoryLink:
        """
        Connect a protocol.

        Raises:
            ConnectionRefusedError: `is_refusing`.
        """
        if self.is_refusing:
            raise ConnectionRefusedError(f"nobody listens at {self.path}")
        to_server, to_client = Wire(), Wire()
        self._prepare(to_server, to_client)
        link = MemoryLink.connect(client, self._accept(), to_server=to_server, to_client=to_client)
        self.links.append(link)
        return link


@contextmanager
def memory_network(
    accept: Callable[[], asyncio.BaseProtocol], prepare: Prepare = _as_they_are
) -> Iterator[MemoryNetwork]:
    """
    Have the running loop connect to a protocol in memory while the body runs; what is open at its end is cut.

    Args:
        accept: Makes the server's protocol for each connection, such as `ScriptedServer.accept`.
        prepare: Gets the wires of each connection before anything is said.
    """
    network = MemoryNetwork(accept, prepare)
    loop = asyncio.get_running_loop()
    connect_for_real = loop.create_unix_connection

    async def connect(
        factory: Callable[[], asyncio.BaseProtocol], path: str | None = None, **settings: object
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        if path != network.path:
            return await connect_for_real(factory, path, **settings)  # type: ignore[arg-type] # passed on as they are
        client = factory()
        return network.connect(client).client, client

    with changed(loop, "create_unix_connection", connect):
        try:
            yield network
        finally:
            for link in network.links:
                _cut(link.client)


def _cut(transport: MemoryTransport) -> None:
    if not transport.is_closing():
        transport.abort()
