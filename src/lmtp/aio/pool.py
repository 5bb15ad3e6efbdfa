# SPDX-License-Identifier: Apache-2.0
"""
Sessions with one destination, kept warm: who has a message gets one, in the order of asking.

    async with Pool(["unix:/run/dovecot/lmtp", "10.0.0.2:24"]) as pool:
        results = await pool.send(envelope, content)

Endpoints are tried in their order; one that fails is left alone for a while, longer each time. A session with the
slightest doubt is never used again. A message whose session is lost before any of its content was asked for is tried
once more on a new one, for it was lost with a server that had closed an idle session; all else is the caller's queue's.
Not here: one session (client.py), how many at a time (concurrency.py). Nothing a server does raises.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from lmtp.aio.client import Client, as_told, connect
from lmtp.aio.client_link import Told
from lmtp.aio.client_settings import ClientSettings
from lmtp.aio.concurrency import Concurrency
from lmtp.aio.contents import Content
from lmtp.aio.listeners import Endpoint, parse_endpoint
from lmtp.protocol.errors import SessionError
from lmtp.protocol.outcome import Deferred
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.results import Point, Result

# A session lost there has had nothing of the content: the message may go by another without being delivered twice.
_BEFORE_CONTENT: Final = frozenset({Point.RSET, Point.MAIL, Point.RCPT, Point.DATA})


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """
    How a pool keeps its sessions.

    Raises:
        ValueError: a number is not positive.
    """

    connections: int = 8
    """Sessions at a time at most, with all endpoints together; how many there are depends on how they bear it."""
    messages_in_flight: int = 2
    """Messages on their way in one session: the next one's commands leave before the last one's replies are there."""
    messages_per_session: int = 1000
    """After so many a session is ended; MAILMAX of the server (RFC 9422) may make it fewer."""
    session_seconds: float = 600
    """After so long a session is ended."""
    idle_seconds: float = 60
    """A session that has had nothing to do for so long is ended; less than servers wait (RFC 5321 §4.5.3.2.7)."""
    first_pause_seconds: float = 1
    """How long an endpoint that failed is left alone; each failure doubles it."""
    longest_pause_seconds: float = 300
    """How long at most."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0")


@dataclass(slots=True)
class EndpointStatistics:
    """
    What is known of one endpoint.
    """

    endpoint: Endpoint
    """Where it is."""
    sessions: int = 0
    """Sessions that are open."""
    opened: int = 0
    """Sessions there have been."""
    failures: int = 0
    """Attempts in a row that came to nothing."""
    last_failure: str = ""
    """Why the last of those failed."""
    paused_until: float = 0.0
    """It is left alone until then, by the clock of the loop."""


@dataclass(slots=True)
class PoolStatistics:
    """
    What a pool has done, and how it stands.
    """

    endpoints: list[EndpointStatistics]
    """The endpoints, in the order in which they are tried."""
    messages: int = 0
    """Messages sent, whatever became of them."""
    delivered: int = 0
    """Recipients delivered."""
    deferred: int = 0
    """Recipients to be tried again."""
    failed: int = 0
    """Recipients refused for good."""
    under_way: int = 0
    """Messages on their way."""
    waiting: int = 0
    """Messages that wait for a session."""
    limit: int = 0
    """How many messages may be under way now."""
    latency_seconds: float = 0.0
    """How long a message takes, as a moving average."""


@dataclass(slots=True, eq=False)
class _Member:
    """
    A session of the pool.
    """

    client: Client
    endpoint: EndpointStatistics
    born: float
    under_way: int = 0
    is_fresh: bool = True
    idle: asyncio.TimerHandle | None = field(default=None, repr=False)


class Pool:
    """
    Sessions with one destination.

    Args:
        endpoints: Where its servers are, the best first.
        settings: How to speak to them.
        keeping: How many sessions, and how long.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint | str],
        settings: ClientSettings | None = None,
        keeping: PoolSettings | None = None,
    ) -> None:
        if not endpoints:
            raise ValueError("a pool needs an endpoint")
        found = [parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint for endpoint in endpoints]
        self._settings = settings or ClientSettings()
        self._keeping = keeping or PoolSettings()
        self._statistics = PoolStatistics([EndpointStatistics(endpoint) for endpoint in found])
        self._concurrency = Concurrency(self._keeping.connections * self._keeping.messages_in_flight)
        self._members: list[_Member] = []
        self._waiting: deque[asyncio.Future[_Member]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._no_opening_before = 0.0
        self._is_closed = False
        self._is_empty = asyncio.Event()

    @property
    def statistics(self) -> PoolStatistics:
        """
        What the pool has done, and how it stands now.
        """
        known = self._statistics
        known.waiting = len(self._waiting)
        known.limit = self._concurrency.limit
        known.latency_seconds = self._concurrency.latency_seconds
        return known

    async def send(self, envelope: OutgoingEnvelope, content: Content) -> list[Result]:
        """
        Send a message by one of the sessions.

        Returns:
            One result for each recipient, in the order of the envelope; all are deferred when no server can be had.

        Raises:
            OSError: the content can't be read.
            TypeError: the content is nothing that can be sent.
        """
        return await self.deliver(envelope, content, lambda _index, _result: None)

    async def stream(self, envelope: OutgoingEnvelope, content: Content) -> AsyncIterator[tuple[int, Result]]:
        """
        Send a message, and yield each recipient's index in the envelope and its result as soon as it is known.
        """
        async for told in as_told(lambda told: self.deliver(envelope, content, told)):
            yield told

    async def deliver(self, envelope: OutgoingEnvelope, content: Content, told: Told) -> list[Result]:
        """
        Send a message, and call somebody with each recipient's index and result as it becomes known.
        """
        results: dict[int, Result] = {}

        def settle(index: int, result: Result) -> None:
            results[index] = result
            self._count(result)
            told(index, result)

        self._statistics.messages += 1
        left = await self._attempt(envelope, list(range(len(envelope.recipients))), content, settle, is_last=False)
        if left:
            await self._attempt(envelope, left, content, settle, is_last=True)
        return [results[index] for index in range(len(envelope.recipients))]

    async def close(self) -> None:
        """
        End all sessions, when what is under way in them is done; who still waits for one is deferred.
        """
        self._is_closed = True
        for task in self._opening:
            task.cancel()
        self._fail_waiting(SessionError("the pool was closed"))
        for member in list(self._members):
            if member.under_way == 0:
                self._retire(member)
        if self._members:
            self._is_empty.clear()  # it may have been empty before
            await self._is_empty.wait()
        await asyncio.gather(*self._opening, *self._closing, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # One attempt

    async def _attempt(
        self, envelope: OutgoingEnvelope, asked: list[int], content: Content, told: Told, *, is_last: bool
    ) -> list[int]:
        """
        Send a message by one session; return who is to be tried by another.
        """
        try:
            member = await self._acquire()
        except SessionError as error:
            outcome = Deferred("4.4.1", detail=str(error))
            for index in asked:
                told(index, Result(envelope.recipients[index].forward_path, outcome, Point.GREETING, error.reply))
            return []
        left: list[int] = []
        may_repeat = not (is_last or member.is_fresh)

        def take(number: int, result: Result) -> None:
            if may_repeat and result.reply is None and result.point in _BEFORE_CONTENT:
                left.append(asked[number])
            else:
                told(asked[number], result)

        begun = asyncio.get_running_loop().time()
        try:
            self._learn(await member.client.deliver(envelope.only(asked), content, take), begun)
        finally:
            self._release(member)
        return left

    def _learn(self, results: list[Result], begun: float) -> None:
        """
        Let how many may be under way follow from how this one fared.
        """
        if any(result.point is Point.MAIL and result.is_deferred for result in results):
            self._concurrency.refused()
        elif any(result.point is Point.CONTENT and result.reply is not None for result in results):
            now = asyncio.get_running_loop().time()
            self._concurrency.answered(now - begun, self._statistics.under_way, now)

    def _count(self, result: Result) -> None:
        self._statistics.delivered += result.is_delivered
        self._statistics.deferred += result.is_deferred
        self._statistics.failed += result.is_failed

    # Who gets which session

    async def _acquire(self) -> _Member:
        if self._is_closed:
            raise SessionError("the pool was closed")
        waiter: asyncio.Future[_Member] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._serve()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._release(waiter.result())
            raise

    def _serve(self) -> None:
        """
        Give sessions to those who wait, in order, and open more when all are taken.
        """
        while self._waiting and self._statistics.under_way < self._concurrency.limit:
            if self._waiting[0].done():  # cancelled meanwhile
                self._waiting.popleft()
            elif (member := self._free_member()) is not None:
                self._take(member)
                self._waiting.popleft().set_result(member)
            else:
                self._open_another()
                return

    def _free_member(self) -> _Member | None:
        """
        Choose the session with the least to do; of those the one used last, so that the others can grow idle and go.
        """
        for member in [member for member in self._members if not self._is_good(member) and member.under_way == 0]:
            self._retire(member)
        free = [member for member in self._members if self._is_good(member)]
        best = min(free, key=lambda member: member.under_way, default=None)
        if best is None or best.under_way == 0 or not self._may_open:
            return best if best is not None and best.under_way < self._keeping.messages_in_flight else None
        return None

    @property
    def _may_open(self) -> bool:
        # Without any session there is nothing to make do with, and nobody who would look again when it is time.
        sessions = len(self._members) + len(self._opening)
        is_time = not sessions or asyncio.get_running_loop().time() >= self._no_opening_before
        return is_time and sessions < self._keeping.connections

    def _is_good(self, member: _Member) -> bool:
        most = min(self._keeping.messages_per_session, member.client.offered.limit("MAILMAX") or 1_000_000)
        age = asyncio.get_running_loop().time() - member.born
        is_young = age < self._keeping.session_seconds and member.client.transactions < most
        return member.client.is_usable and is_young

    def _take(self, member: _Member) -> None:
        member.under_way += 1
        self._statistics.under_way += 1
        if member.idle is not None:
            member.idle.cancel()
        # Used last, chosen first.
        self._members.remove(member)
        self._members.insert(0, member)

    def _release(self, member: _Member) -> None:
        member.under_way -= 1
        member.is_fresh = False
        self._statistics.under_way -= 1
        if member.under_way == 0:
            if self._is_closed or not self._is_good(member):
                self._retire(member)
            else:
                loop = asyncio.get_running_loop()
                member.idle = loop.call_later(self._keeping.idle_seconds, self._retire, member)
        self._serve()

    def _retire(self, member: _Member) -> None:
        """
        End a session that nobody uses, without waiting for it.
        """
        if member in self._members:
            self._members.remove(member)
            member.endpoint.sessions -= 1
            task = asyncio.get_running_loop().create_task(member.client.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        if not self._members:
            self._is_empty.set()

    # Opening

    def _open_another(self) -> None:
        if not self._may_open or len(self._opening) >= len(self._waiting):
            return
        task = asyncio.get_running_loop().create_task(self._open())
        self._opening.add(task)
        task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, SessionError) and (self._members or self._opening):
                self._make_do()
            else:
                self._fail_waiting(error)
        self._serve()

    def _make_do(self) -> None:
        """
        Go on with the sessions there are: the server wants no more of them now.
        """
        self._concurrency.refused()
        self._no_opening_before = asyncio.get_running_loop().time() + self._keeping.first_pause_seconds

    async def _open(self) -> None:
        """
        Open a session with the first endpoint that can be had.

        Raises:
            SessionError: there is none.
        """
        loop, why, reply = asyncio.get_running_loop(), "no server can be had", None
        for known in self._statistics.endpoints:
            if known.paused_until > loop.time():
                why = (
                    f"{known.endpoint} is left alone for {known.paused_until - loop.time():.0f} s: {known.last_failure}"
                )
                continue
            try:
                client = await connect(known.endpoint, self._settings)
            except OSError as error:
                why, reply = f"{known.endpoint}: {error}", getattr(error, "reply", None)
                self._pause(known, why)
            else:
                known.sessions += 1
                known.opened += 1
                known.failures, known.paused_until = 0, 0.0
                self._members.append(_Member(client, known, loop.time()))
                return
        raise SessionError(why, reply)

    def _pause(self, known: EndpointStatistics, why: str) -> None:
        """
        Leave an endpoint alone for a while, unless it serves us: then it just wants no more sessions.
        """
        known.last_failure = why
        if known.sessions:
            return
        longest = self._keeping.longest_pause_seconds
        pause = min(longest, self._keeping.first_pause_seconds * 2 ** min(known.failures, 30))
        known.failures += 1
        # Many clients that failed together must not come back together.
        known.paused_until = asyncio.get_running_loop().time() + pause * random.uniform(0.75, 1.25)  # noqa: S311

    def _fail_waiting(self, error: BaseException) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(error)
