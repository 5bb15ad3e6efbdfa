# SPDX-License-Identifier: Apache-2.0
"""
A client's session: messages go in, a result for each recipient comes out.

    async with connect("unix:/run/dovecot/lmtp") as client:
        results = await client.send(OutgoingEnvelope.parse("ann@example.org", "bob@example.org"), b"Subject: ...")

What a server says of a recipient never raises: it is the recipient's result. What has no result when the session is
lost is deferred. Many tasks may send by one client; their messages follow each other without waiting for replies.
Not here: octets and callbacks (client_link.py), several sessions (pool.py). RFC 2033 §4.2 and §5.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping
from types import TracebackType
from typing import Self

from lmtp.aio.client_feeding import IN_ONE_PIECE, feed_pieces, with_body
from lmtp.aio.client_link import Delivery, Link, Told
from lmtp.aio.client_opening import open_link
from lmtp.aio.client_settings import ClientSettings
from lmtp.aio.contents import Content, Measure, Octets, Repeatable, Source, Stored, pieces_of, source_of
from lmtp.aio.listeners import Endpoint, parse_endpoint
from lmtp.aio.spread import Spread
from lmtp.protocol.errors import SessionError
from lmtp.protocol.offered import Offered
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import Body
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Result


def _tell_nobody(_index: int, _result: Result) -> None:
    """
    Take a result that is asked for later.
    """


async def as_told(deliver: Callable[[Told], Coroutine[None, None, object]]) -> AsyncIterator[tuple[int, Result]]:
    """
    Turn what calls back with results into what yields them; stopping early cancels the delivery.
    """
    known: asyncio.Queue[tuple[int, Result] | None] = asyncio.Queue()
    task = asyncio.create_task(deliver(lambda *told: known.put_nowait(told)))
    task.add_done_callback(lambda _: known.put_nowait(None))
    try:
        while (told := await known.get()) is not None:
            yield told
        await task
    finally:
        task.cancel()


class Client:
    """
    One session with one server. Made by `connect`.
    """

    def __init__(self, endpoint: Endpoint, link: Link) -> None:
        self.endpoint = endpoint
        """Where the server is."""
        self._link = link
        self._asking = asyncio.Lock()

    @property
    def offered(self) -> Offered:
        """
        What the server offers.
        """
        return self._link.engine.offered

    @property
    def is_usable(self) -> bool:
        """
        There is a session, and nothing has cast a doubt on it.
        """
        engine = self._link.engine
        return engine.has_greeted and not (engine.is_over or engine.is_ending)

    @property
    def transactions(self) -> int:
        """
        How many MAIL commands the session has had; a server may set a limit (RFC 9422 §4.1).
        """
        return self._link.transactions

    @property
    def why_lost(self) -> str:
        """
        How the session came to its end; empty while it has not.
        """
        return self._link.lost.why if self._link.lost else ""

    async def send(self, envelope: OutgoingEnvelope, content: Content) -> list[Result]:
        """
        Send a message.

        Recipients a server can't take in one transaction (452 4.5.3, or LIMITS) get theirs in further ones, if the
        content can be read again.

        Args:
            envelope: Whom it is from and for.
            content: Octets, the path of a file, an open file, a message object, an iterable or an async iterable.

        Returns:
            One result for each recipient, in the order of the envelope.

        Raises:
            OSError: the content can't be read; nothing was delivered to those who have no result.
            TypeError: the content is nothing that can be sent.
        """
        return await self.deliver(envelope, content, _tell_nobody)

    async def stream(self, envelope: OutgoingEnvelope, content: Content) -> AsyncIterator[tuple[int, Result]]:
        """
        Send a message, and yield each recipient's index in the envelope and its result as soon as it is known.

        Whoever keeps a queue acts on each at once: a later one may never come (RFC 2033 §5). Raises as `send` does.
        """
        async for told in as_told(lambda told: self.deliver(envelope, content, told)):
            yield told

    async def deliver(self, envelope: OutgoingEnvelope, content: Content, told: Told) -> list[Result]:
        """
        Send a message, and call somebody with each recipient's index and result as it becomes known.

        What `send` and `stream` are made of, for those who have callbacks; raises as they do.
        """
        source, measure = await self._prepare(envelope, content)
        envelope = with_body(envelope, measure, self.offered)
        most = self.offered.limit("RCPTMAX") if isinstance(source, Repeatable) else None
        spread = Spread(len(envelope.recipients), most, told)
        while asked := spread.next_part():
            part = envelope if spread.is_whole else envelope.only(asked)
            can_repeat = isinstance(source, Repeatable) and self.is_usable
            await self._transact(part, source, measure, spread.take if can_repeat else spread.take_as_final)
            spread.end_part()
        return spread.results

    async def forward(self, attributes: Mapping[str, str | None]) -> bool:
        """
        Say where the next message comes from (XFORWARD), for the server's log.

        Args:
            attributes: NAME, ADDR, PORT, PROTO, HELO, IDENT, SOURCE; None for what is not known.

        Returns:
            The server has taken note; False: it does not want to know.

        Raises:
            SessionError: the session is lost.
        """
        async with self._asking:
            self._say_now()
            count = self._link.engine.forward(attributes)
            replies = await self._link.answers(count)
        return bool(replies) and all(reply.is_positive for reply in replies)

    async def noop(self) -> Reply:
        """
        Ask whether the server is there.

        Raises:
            SessionError: the session is lost.
        """
        async with self._asking:
            self._say_now()
            self._link.engine.noop()
            return await self._link.answer()

    async def verify(self, text: str) -> Reply:
        """
        Ask for a mailbox by VRFY; most servers answer 252 (RFC 5321 §3.5.3).

        Raises:
            SessionError: the session is lost.
        """
        async with self._asking:
            self._say_now()
            self._link.engine.verify(text)
            return await self._link.answer()

    async def close(self) -> None:
        """
        End the session: QUIT, when what is under way is done. No answer to that is a failure.
        """
        with contextlib.suppress(SessionError):
            async with self._asking:
                if self.is_usable:
                    self._link.engine.quit()
                    await self._link.answer()
        self._link.abort()
        await self._link.closed

    def abort(self) -> None:
        """
        Cut the connection; what is under way is deferred.
        """
        self._link.give_up("the client was stopped")
        self._link.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _say_now(self) -> None:
        if not self.is_usable:
            raise SessionError(self.why_lost or "the session is over")

    async def _prepare(self, envelope: OutgoingEnvelope, content: Content) -> tuple[Source, Measure]:
        is_binary = envelope.parameters.body is Body.BINARY
        source = source_of(content, self.offered, needs_utf8=not envelope.is_ascii, is_binary=is_binary)
        if isinstance(source, Stored):
            return source, await asyncio.to_thread(source.measure)
        return source, source.measure()

    async def _transact(self, envelope: OutgoingEnvelope, source: Source, measure: Measure, told: Told) -> None:
        octets = source.octets if isinstance(source, Octets) and len(source.octets) <= IN_ONE_PIECE else None
        is_only_seven_bit = measure.is_seven_bit is None and "8BITMIME" not in self.offered
        delivery = Delivery(envelope, measure.size_bytes, octets, told)
        self._link.submit(delivery)
        try:
            if octets is None and await delivery.is_wanted and delivery.transaction is not None:
                await feed_pieces(
                    self._link, delivery.transaction, pieces_of(source), is_only_seven_bit=is_only_seven_bit
                )
            await delivery.is_done
        finally:
            if not delivery.is_over:
                self._link.withdraw(delivery)


class Connecting:
    """
    A session that is being opened: await it, or enter it.
    """

    def __init__(self, endpoint: Endpoint, settings: ClientSettings) -> None:
        self._endpoint = endpoint
        self._settings = settings
        self._client: Client | None = None

    def __await__(self) -> Generator[object, None, Client]:
        return self._open().__await__()

    async def __aenter__(self) -> Client:
        self._client = await self._open()
        return self._client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def _open(self) -> Client:
        return Client(self._endpoint, await open_link(self._endpoint, self._settings))


def connect(endpoint: Endpoint | str, settings: ClientSettings | None = None) -> Connecting:
    """
    Begin a session with a server; enter what is returned (``async with``), or await it.

    Args:
        endpoint: ``host:port``, ``host:port,tls`` or ``unix:/path``.
        settings: How to speak to it.

    Raises:
        ValueError: that is no endpoint, or it is SMTP's port (RFC 2033 §5).
        SessionError: there is somebody, and no session to be had (when it is awaited or entered).
        OSError: nobody answers there (likewise).
    """
    return Connecting(parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint, settings or ClientSettings())
