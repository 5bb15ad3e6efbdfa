# SPDX-License-Identifier: Apache-2.0
"""
Many messages over some connections, several on their way on each: the loop below `lmtp send`.

What becomes of each message is told in the order in which they were given, whoever was first. A session that is lost
is opened again; a message whose content was not on its way yet goes there again. A server that can't be reached
ends it all: what was not tried is left out. Not here: where messages come from, and what is printed.
Raises nothing of its own. RFC 2033 §5, RFC 5321 §3.8.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from lmtp.aio.client import Client
from lmtp.cli.send_sources import Item, Message, Unreadable
from lmtp.protocol.errors import SessionError
from lmtp.protocol.outcome import Deferred
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.results import Point, Result

IN_FLIGHT: Final = 8
"""Messages on their way on one connection: the next one's commands leave with the content before it (RFC 2920 §3.1)."""


@dataclass(frozen=True, slots=True)
class Sent:
    """
    What became of one message.
    """

    number: int
    """Which it is, from 1."""
    name: str
    """What it is called."""
    results: list[Result] = field(default_factory=list)
    """One for each recipient; none when the message could not be read."""
    why_unread: str = ""
    """What was wrong with it; empty: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    How to send.
    """

    connect: Callable[[], Awaitable[Client]]
    """Opens a session; raises OSError."""
    envelope: OutgoingEnvelope
    """Whom each message is from and for."""
    connections: int = 1
    """How many sessions there are at most."""
    copies: int = 1
    """How often each message is sent."""
    forwarded: Mapping[str, str | None] = field(default_factory=dict)
    """Where each message comes from, told by XFORWARD; one message at a time then."""


class Sending:
    """
    Messages being sent.

    Args:
        plan: How.
        items: The messages; read on a thread, for they may have to be waited for.
        told: Called with what became of each.
    """

    def __init__(self, plan: Plan, items: Iterator[Item], told: Callable[[Sent], None]) -> None:
        self.why_stopped = ""
        """Why there was no session in the end; empty: there was."""
        self.has_left_out = False
        """Messages were not tried, because there was no session."""
        self.is_heeded = True
        """The server has taken note of where messages come from, if it was told."""
        self._plan = plan
        self._feed = _Feed(items, plan.copies)
        self._order = _Order(told)

    @property
    def under_way(self) -> int:
        """
        Messages that were taken up, and of which nothing has been told.
        """
        return self._feed.taken - self._order.told_of

    async def run(self) -> None:
        """
        Send them.
        """
        if await self._feed.is_at_end():
            return
        lines = [_Line(self._plan.connect) for _ in range(self._plan.connections)]
        try:
            await asyncio.gather(*(line.open() for line in lines))
            await self._use([line for line in lines if not line.why_dead] or lines[:1])
            for line in lines:
                await line.close()
        finally:
            self._order.let_go()
            for line in lines:
                line.abort()

    async def _use(self, lines: list["_Line"]) -> None:
        """
        Send as long as there is a session; if there never was, one message says so.
        """
        async with asyncio.TaskGroup() as group:
            for line in lines:
                for _ in range(1 if line.why_dead or self._plan.forwarded else IN_FLIGHT):
                    group.create_task(self._work(line))
        if all(line.why_dead for line in lines):
            self.why_stopped = lines[-1].why_dead
            self.has_left_out = not await self._feed.is_at_end()

    async def _work(self, line: "_Line") -> None:
        while (numbered := await self._feed.next()) is not None:
            self._order.put(await self._send(*numbered, line))
            if line.why_dead:
                return

    async def _send(self, number: int, item: Item, line: "_Line") -> Sent:
        if isinstance(item, Unreadable):
            return Sent(number, item.name, why_unread=item.why)
        try:
            return Sent(number, item.name, await self._deliver(item, line))
        except OSError as error:
            return Sent(number, item.name, why_unread=error.strerror or str(error))

    async def _deliver(self, message: Message, line: "_Line") -> list[Result]:
        """
        Send a message, again in a new session if the last has served others and ended before it came to this one.
        """
        while (client := await line.session()) is not None:
            if self._plan.forwarded:
                await self._forward(client)
            results = await client.send(self._plan.envelope, message.content)
            if any(result.is_delivered for result in results):
                line.served = client
            if not (_came_to_nothing(results) and client is line.served):
                return results
        outcome = Deferred("4.4.1", detail=line.why_dead)
        return [Result(rcpt.forward_path, outcome, Point.GREETING) for rcpt in self._plan.envelope.recipients]

    async def _forward(self, client: Client) -> None:
        with contextlib.suppress(SessionError):  # what is sent next says so
            self.is_heeded = await client.forward(self._plan.forwarded) and self.is_heeded


def _came_to_nothing(results: list[Result]) -> bool:
    """
    Tell whether the session ended before the server could have taken any content: to send it again is safe.
    """
    return all(
        result.is_deferred
        and result.point in {Point.MAIL, Point.RCPT, Point.DATA}
        and (result.reply is None or result.reply.code == 421)
        for result in results
    )


class _Feed:
    """
    The messages, with their numbers, each as often as it is to be sent.
    """

    def __init__(self, items: Iterator[Item], copies: int) -> None:
        self.taken = 0
        """How many were taken."""
        self._items = items
        self._copies = copies
        self._item: Item | None = None
        self._left = 0
        self._reading = asyncio.Lock()

    async def is_at_end(self) -> bool:
        """
        Tell whether there is none left.
        """
        async with self._reading:
            return not await self._read()

    async def next(self) -> tuple[int, Item] | None:
        """
        Return the next with its number; None when there is none.
        """
        async with self._reading:
            if not await self._read() or self._item is None:
                return None
            self._left -= 1
            self.taken += 1
            return self.taken, self._item

    async def _read(self) -> bool:
        if not self._left:
            self._item = await asyncio.to_thread(next, self._items, None)
            self._left = self._copies
        return self._item is not None


class _Order:
    """
    Tells what became of messages in the order of their numbers.
    """

    def __init__(self, told: Callable[[Sent], None]) -> None:
        self.told_of = 0
        """How many have been told."""
        self._told = told
        self._held: dict[int, Sent] = {}
        self._next = 1

    def put(self, sent: Sent) -> None:
        self._held[sent.number] = sent
        while (following := self._held.pop(self._next, None)) is not None:
            self._next += 1
            self._tell(following)

    def let_go(self) -> None:
        """
        Tell all that wait for others before them.
        """
        for number in sorted(self._held):
            self._tell(self._held.pop(number))

    def _tell(self, sent: Sent) -> None:
        self.told_of += 1
        self._told(sent)


class _Line:
    """
    One session at a time, opened again when it is lost, until that fails.
    """

    def __init__(self, connect: Callable[[], Awaitable[Client]]) -> None:
        self.why_dead = ""
        """Why there is no session to be had; empty: there is one, or may be."""
        self._connect = connect
        self.served: Client | None = None
        """The last session by which something was delivered."""
        self._client: Client | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        try:
            self._client = await self._connect()
        except OSError as error:
            self.why_dead = error.strerror or str(error)
            self._client = None

    async def session(self) -> Client | None:
        """
        Return a session that can be used; None when there is none to be had.
        """
        async with self._opening:
            if self._client is not None and not self._client.is_usable:
                await self._client.close()
                await self.open()
            return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    def abort(self) -> None:
        if self._client is not None:
            self._client.abort()
