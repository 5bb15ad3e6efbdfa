# SPDX-License-Identifier: Apache-2.0
"""
One connection of a client: the transport, the engine, the deadlines, and who waits for which result.

Messages in memory are sent from within the callback that brings the server's consent, and the next message's commands
leave in the same write; nobody is woken in between. Contents that must be read or waited for are fed by whoever has
them. Every reply has its own deadline. Not here: how a session is opened (opening.py) and what users call (client.py).
Nothing raises out of the callbacks. RFC 2033 §4.2, RFC 2920 §3.1, RFC 5321 §4.5.3.2.
"""

import asyncio
import os
import ssl
from collections import deque
from collections.abc import Callable
from typing import cast

from lmtp.aio.client_settings import ClientDeadlines, Transcript
from lmtp.protocol.client import ClientConnection
from lmtp.protocol.client_events import (
    ChunkTaken,
    ClientEvent,
    ContentWanted,
    RecipientResolved,
    ReplyReceived,
    SessionLost,
    TransactionEnded,
)
from lmtp.protocol.client_transaction import ClientTransaction
from lmtp.protocol.errors import SessionError
from lmtp.protocol.outcome import Refusal
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result, lost

Told = Callable[[int, Result], None]
"""Takes a recipient's index and its result."""


class Delivery:
    """
    One message handed to a link.

    Args:
        envelope: Whom it is from and for.
        size_bytes: The size of its content; None: not known.
        octets: The content, when it is in memory and may go out at once; None: somebody feeds it.
        told: Called with the index and the result of each recipient, as they come.
    """

    def __init__(
        self,
        envelope: OutgoingEnvelope,
        size_bytes: int | None,
        octets: bytes | None,
        told: Told,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.envelope = envelope
        """Whom it is from and for."""
        self.size_bytes = size_bytes
        """The size of its content, if it is known."""
        self.octets = octets
        """Its content, if it may go out at once."""
        self.told = told
        """Whom each result is told."""
        self.transaction: ClientTransaction | None = None
        """What the engine knows of it; None: it has not been begun."""
        self.is_wanted: asyncio.Future[bool] = loop.create_future()
        """The server wants the content; False: all is over without it."""
        self.is_done: asyncio.Future[None] = loop.create_future()
        """Every recipient has its result."""
        self.is_cancelled = False
        """Nobody waits for it any more."""

    @property
    def is_over(self) -> bool:
        """
        Every recipient has its result.
        """
        return self.transaction is not None and self.transaction.is_over

    def finish(self) -> None:
        """
        Wake whoever waits.
        """
        if not self.is_wanted.done():
            self.is_wanted.set_result(False)
        if not self.is_done.done():
            self.is_done.set_result(None)


class Link(asyncio.Protocol):
    """
    One connection to a server.

    Args:
        engine: The client's half of the session.
        deadlines: How long to wait.
        transcript: Who writes down what is said; None: nobody.
    """

    def __init__(self, engine: ClientConnection, deadlines: ClientDeadlines, transcript: Transcript | None) -> None:
        self.engine = engine
        """The client's half of the session."""
        self.lost: SessionLost | None = None
        """How the session came to its end; None while it has not."""
        self.transactions = 0
        """How many have been begun."""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """The connection is gone."""
        self._loop = asyncio.get_running_loop()
        self._deadlines = deadlines
        self._transcript = transcript
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Delivery] = deque()
        self._begun: dict[ClientTransaction, Delivery] = {}
        self._askers: deque[asyncio.Future[Reply]] = deque()
        self._unclaimed: deque[Reply] = deque()  # the greeting may be there before anybody waits for it
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._chunk_taken = asyncio.Event()
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._quotes_secret = False

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Begin to wait for what comes.
        """
        self._transport = cast("asyncio.Transport", transport)
        self._arm(hears=True)

    def data_received(self, data: bytes) -> None:
        """
        Act on what the server says.
        """
        if self._transcript is not None:
            self._transcript.server(data)
        # Who sends a reply octet by octet has no more time for it.
        self._act(self.engine.receive_data(data), hears=b"\n" in data)

    def eof_received(self) -> None:
        """
        Note that the server says nothing more.
        """
        self._act(self.engine.receive_eof())

    def connection_lost(self, exc: Exception | None) -> None:
        """
        Note that the connection is gone; what the server said before that still counts.
        """
        if exc is not None and not self.engine.is_over:
            self._rescue()
        self._act(self.engine.give_up(f"the connection was lost: {exc}" if exc else "the connection was closed"))
        self._may_write.set()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """
        Keep whoever feeds a content waiting.
        """
        self._may_write.clear()

    def resume_writing(self) -> None:
        """
        Let it go on.
        """
        self._may_write.set()

    def _rescue(self) -> None:
        """
        Read what is left in the socket.

        When our write fails, because the server has answered and closed, its replies are there and asyncio does not
        look. Whoever is told 250 there must not be sent the message again.
        """
        connection = self._transport.get_extra_info("socket") if self._transport else None
        if connection is None or self.tls is not None:
            return
        try:
            while octets := os.read(connection.fileno(), 65536):
                self._act(self.engine.receive_data(octets))
        except OSError:
            return

    # Commands of the session

    async def greeting(self) -> Reply:
        """
        Wait for the greeting.

        Raises:
            SessionError: the session is lost.
        """
        (greeting,) = await self.answers(1)
        return greeting

    async def answer(self) -> Reply:
        """
        Send what was said to the engine, and wait for its reply.

        Raises:
            SessionError: the session is lost.
        """
        (reply,) = await self.answers(1)
        return reply

    async def answers(self, count: int) -> list[Reply]:
        """
        Send what was said to the engine, and wait for as many replies.

        Raises:
            SessionError: the session is lost, be it in the same breath as the server agreed.
        """
        self._act([])
        asked = [self._ask() for _ in range(count)]
        replies = [await each for each in asked]
        if self.lost is not None and all(reply.code < 400 for reply in replies):
            raise SessionError(self.lost.why)
        return replies

    def _ask(self) -> asyncio.Future[Reply]:
        """
        Take the next place in the line for replies; it is kept also by those who wait no more.
        """
        asker: asyncio.Future[Reply] = self._loop.create_future()
        if self._unclaimed:
            asker.set_result(self._unclaimed.popleft())
        elif self.lost is not None:
            _disappoint(asker, self.lost)
        else:
            self._askers.append(asker)
        return asker

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """
        Put TLS between the transport and the engine.

        Raises:
            OSError: the handshake failed.
        """
        assert self._transport is not None, "there is a connection"  # noqa: S101
        secured = await self._loop.start_tls(
            self._transport,
            self,
            context,
            server_hostname=server_name,
            ssl_handshake_timeout=self._deadlines.connect_seconds,
        )
        # asyncio returns nothing when the connection was lost in the middle of the handshake.
        if secured is None:
            raise SessionError("the server closed the connection during the TLS handshake")
        self._transport = secured
        self.engine.tls_started()

    @property
    def tls(self) -> ssl.SSLObject | None:
        """
        What is known of TLS; None: there is none.
        """
        return self._transport.get_extra_info("ssl_object") if self._transport else None

    def mask(self) -> None:
        """
        Keep what is said next out of the transcript, for it is secret.
        """
        self._quotes_secret = True

    # Messages

    def submit(self, delivery: Delivery) -> None:
        """
        Send a message as soon as those before it are on their way.
        """
        self._waiting.append(delivery)
        self._act([])

    def withdraw(self, delivery: Delivery) -> None:
        """
        Forget about a message that nobody waits for any more.

        If it has not been begun it never will be. If the server has not got all of the content yet the connection is
        given up, for half a message must not stay open; else the replies are read and thrown away.
        """
        delivery.is_cancelled = True
        transaction = delivery.transaction
        if transaction is None:
            self._waiting = deque(other for other in self._waiting if other is not delivery)
        elif transaction.content_is_wanted and not (transaction.content_is_sent or transaction.is_over):
            self._act(self.engine.give_up("the message was withdrawn"))

    def feed(self, octets: bytes, *, is_last: bool) -> None:
        """
        Send a piece of the content of the message whose turn it is.
        """
        self.engine.send_content(octets, is_last=is_last)
        self._act([])

    async def has_room(self) -> None:
        """
        Wait until the server has taken enough of what was sent.

        Raises:
            TimeoutError: it takes nothing.
        """
        async with asyncio.timeout(self._deadlines.block_seconds):
            await self._may_write.wait()

    async def chunks_taken(self, transaction: ClientTransaction) -> None:
        """
        Wait until every chunk that was sent has been answered, or the transaction is over.
        """
        while transaction.chunks_owed and not transaction.is_over:
            self._chunk_taken.clear()
            await self._chunk_taken.wait()

    def give_up(self, why: str) -> None:
        """
        End the session at once: all that is undecided is deferred.
        """
        self._act(self.engine.give_up(why))

    def abandon(self, outcome: Refusal, why: str) -> None:
        """
        End the session because a content can't be sent to its end; its recipients have that outcome.
        """
        self._act(self.engine.abandon(outcome, why))

    def abort(self) -> None:
        """
        Cut the connection.
        """
        if self._transport is not None:
            self._transport.abort()

    # How it goes on

    def _act(self, events: list[ClientEvent], *, hears: bool = False) -> None:
        """
        Act on events, begin what can be begun, and send what there is to send, in one write.
        """
        for event in events:
            self._act_on(event)
        while self._waiting and self.engine.can_begin:
            self._begin(self._waiting.popleft())
        octets = self.engine.data_to_send()
        if octets:
            self._write(octets)
        if self.lost is not None:
            self._wind_up(self.lost)
        self._arm(hears=hears)

    def _act_on(self, event: ClientEvent) -> None:
        match event:
            case RecipientResolved(transaction, index, result):
                if (delivery := self._begun.get(transaction)) is not None:
                    delivery.told(index, result)
            case TransactionEnded(transaction):
                if (delivery := self._begun.pop(transaction, None)) is not None:
                    delivery.finish()
                self._chunk_taken.set()
            case ContentWanted(transaction):
                self._supply(self._begun[transaction])
            case ChunkTaken():
                self._chunk_taken.set()
            case ReplyReceived(_, reply):
                self._answer(reply)
            case SessionLost():
                self.lost = event

    def _answer(self, reply: Reply) -> None:
        if not self._askers:
            self._unclaimed.append(reply)
        elif not (asker := self._askers.popleft()).done():  # whoever waited may have gone
            asker.set_result(reply)

    def _begin(self, delivery: Delivery) -> None:
        transaction = self.engine.begin(delivery.envelope, delivery.size_bytes)
        delivery.transaction = transaction
        for index, result in enumerate(transaction.results):
            if result is not None:
                delivery.told(index, result)
        if transaction.is_over:
            delivery.finish()
        else:
            self.transactions += 1
            self._begun[transaction] = delivery

    def _supply(self, delivery: Delivery) -> None:
        if delivery.is_cancelled:
            self._act(self.engine.give_up("the message was withdrawn"))
        elif delivery.octets is None:
            delivery.is_wanted.set_result(True)
        else:
            self.engine.send_content(delivery.octets, is_last=True)

    def _write(self, octets: bytes) -> None:
        if self._transcript is not None:
            self._transcript.client(b"(secret)\r\n" if self._quotes_secret else octets)
        self._quotes_secret = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(octets)

    def _wind_up(self, event: SessionLost) -> None:
        """
        Tell everybody that it is over, and close.
        """
        while self._askers:
            _disappoint(self._askers.popleft(), event)
        while self._waiting:
            self._refuse(self._waiting.popleft(), event)
        # Whoever feeds a content need not wait until a server that reads nothing more takes it.
        self._may_write.set()
        self._chunk_taken.set()
        if self._transport is not None:
            self._transport.close()

    def _refuse(self, delivery: Delivery, event: SessionLost) -> None:
        transaction = ClientTransaction(delivery.envelope, self.engine.dialect.replies, lambda _: None)
        transaction.give_up(lost(event.why), Point.MAIL)
        delivery.transaction = transaction
        for index, result in enumerate(transaction.results):
            if result is not None:
                delivery.told(index, result)
        delivery.finish()

    # Deadlines

    def _arm(self, *, hears: bool) -> None:
        """
        Give the next reply its time: when the one before it has come, or when it is the first that is owed.

        Whatever else we say does not prolong it. The timer is left alone and looks again when it fires: replies are
        many.

        Args:
            hears: A line has come in.
        """
        point = self.engine.awaits
        if point is None:
            self._deadline = 0.0
            if self._timer is not None and self.engine.is_over:
                self._timer.cancel()
            return
        if self._deadline and not hears:
            return
        ending = self.engine.is_ending and point is Point.CONTENT
        seconds = self._deadlines.after_421_seconds if ending else self._deadlines.seconds_for(point)
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._timer = None
        point = self.engine.awaits
        if point is None or not self._deadline:
            return
        if self._loop.time() < self._deadline:
            self._set_timer()
            return
        self._act(self.engine.give_up(f"waited too long for {point.value}"))
        self.abort()


def _disappoint(asker: asyncio.Future[Reply], event: SessionLost) -> None:
    if not asker.done():
        asker.set_exception(SessionError(event.why))
        asker.exception()  # whoever asked may have gone
