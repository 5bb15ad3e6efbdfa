# SPDX-License-Identifier: Apache-2.0
"""
One connection of a blocking client: the socket, the engine, the deadlines, and who is told which result.

It reads while it writes, so that a server which answers a thousand commands before it reads the next is no reason to
wait for each other (RFC 2920 §3.1). Every reply has its own deadline. What it does it does in `work`, when somebody
waits for something; nothing happens in between. Not here: how a session is opened (opening.py), what users call
(client.py). Only what waits for an answer raises SessionError. RFC 2033 §4.2, RFC 5321 §4.5.3.2.
"""

import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from lmtp.aio.client_settings import ClientDeadlines, Transcript
from lmtp.protocol.client import ClientConnection
from lmtp.protocol.client_events import ClientEvent, RecipientResolved, ReplyReceived, SessionLost, TransactionEnded
from lmtp.protocol.client_transaction import ClientTransaction
from lmtp.protocol.errors import LocalProtocolError, SessionError
from lmtp.protocol.outcome import Refusal
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result, lost
from lmtp.sync.sockets import BROKEN, READABLE, WRITABLE, secure, wait_for

Told = Callable[[int, Result], None]
"""Takes a recipient's index and its result."""

ROOM: Final = 64 * 1024
"""Octets that may wait to be sent when the next piece of a content is fetched."""

_READ_BYTES: Final = 64 * 1024
"""More than a TLS record has: nothing stays behind that is decrypted, and of which the system knows nothing."""


class Link:
    """
    One connection to a server.

    Args:
        engine: The client's half of the session.
        connection: The socket, connected; from now on it does not block.
        deadlines: How long to wait.
        transcript: Who writes down what is said; None: nobody.
    """

    def __init__(
        self,
        engine: ClientConnection,
        connection: socket.socket,
        deadlines: ClientDeadlines,
        transcript: Transcript | None,
    ) -> None:
        connection.setblocking(False)
        self.engine = engine
        """The client's half of the session."""
        self.lost: SessionLost | None = None
        """How the session came to its end; None while it has not."""
        self._connection = connection
        self._deadlines = deadlines
        self._transcript = transcript
        self._quotes_secret = False
        self._output = bytearray()
        self._replies: deque[Reply] = deque()
        self._told: dict[ClientTransaction, Told] = {}
        # What the next attempt has to wait for: under TLS reading may have to wait for room, and writing for octets.
        self._to_read, self._to_write = READABLE, WRITABLE
        self._since = time.monotonic()

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """
        What is known of TLS; None: there is none.
        """
        return self._connection if isinstance(self._connection, ssl.SSLSocket) else None

    @property
    def is_usable(self) -> bool:
        """
        There is a session, and nothing has cast a doubt on it, as far as we have heard.
        """
        return self.engine.has_greeted and not (self.engine.is_over or self.engine.is_ending)

    @property
    def is_in_transaction(self) -> bool:
        """
        There is a message whose content the server has not got.
        """
        return any(not transaction.content_is_sent for transaction in self._told)

    # Commands of the session: coroutines that never wait, as open_session wants them

    async def greeting(self) -> Reply:
        """
        Wait for the greeting. Raises SessionError when none comes.
        """
        return self.ask()

    async def answer(self) -> Reply:
        """
        Send what was said to the engine, and wait for its reply. Raises SessionError when none comes.
        """
        return self.ask()

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """
        Do the handshake, and tell the engine. Raises OSError when there is no TLS with them.
        """
        self._connection = secure(self._connection, context, server_name, self._deadlines.connect_seconds)
        self.engine.tls_started()

    def mask(self) -> None:
        """
        Keep what is said next out of the transcript, for it is secret.
        """
        self._quotes_secret = True

    def ask(self) -> Reply:
        """
        Send what was said to the engine, and wait for the next reply that belongs to no transaction.

        Raises:
            SessionError: the session is lost, be it in the same breath as the server agreed.
        """
        self._act([])
        while not self._replies:
            if self.lost is not None:
                raise SessionError(self.lost.why)
            self.work()
        reply = self._replies.popleft()
        if self.lost is not None and reply.code < 400:
            raise SessionError(self.lost.why)
        return reply

    # Messages

    def begin(self, envelope: OutgoingEnvelope, size_bytes: int | None, told: Told) -> ClientTransaction:
        """
        Begin a transaction; where there is no session any more, all are deferred at once.

        Args:
            envelope: Whom the message is from and for.
            size_bytes: The size of its content; None: not known.
            told: Called with the index and the result of each recipient, as they come.

        Raises:
            LocalProtocolError: another message is under way whose content the server has not got.
        """
        self.look()
        if not self.is_usable:
            transaction = self._refuse(envelope)
        elif not self.engine.can_begin:
            raise LocalProtocolError("a message is under way: read the results of its stream first")
        else:
            transaction = self.engine.begin(envelope, size_bytes)
        for index, result in enumerate(transaction.results):
            if result is not None:
                told(index, result)
        if not transaction.is_over:
            self._told[transaction] = told
            self._act([])
        return transaction

    def _refuse(self, envelope: OutgoingEnvelope) -> ClientTransaction:
        transaction = ClientTransaction(envelope, self.engine.dialect.replies, lambda _: None)
        transaction.give_up(lost(self.lost.why if self.lost else "the session is coming to its end"), Point.MAIL)
        return transaction

    def withdraw(self, transaction: ClientTransaction) -> None:
        """
        Forget about a message that nobody waits for any more.

        If the server has not got all of the content the connection is given up, for half a message must not stay open;
        else the replies are read and thrown away.
        """
        self._told.pop(transaction, None)
        if not (transaction.is_over or transaction.content_is_sent):
            self.give_up("the message was withdrawn")

    def feed(self, octets: bytes, *, is_last: bool) -> None:
        """
        Send a piece of the content of the message whose turn it is.
        """
        self.engine.send_content(octets, is_last=is_last)
        self._act([])

    async def has_room(self) -> None:
        """
        Send until little is left to be sent, or the session is lost.
        """
        while len(self._output) > ROOM and self.lost is None:
            self.work()

    async def chunks_taken(self, transaction: ClientTransaction) -> None:
        """
        Go on until every chunk that was sent has been answered, or the transaction is over.
        """
        while transaction.chunks_owed and not transaction.is_over:
            self.work()

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
        self.give_up("the client was stopped")
        self._close()

    # How it goes on

    def look(self) -> None:
        """
        Hear what the server has said since somebody listened last: a 421 perhaps, or that it has gone.
        """
        if self.lost is None:
            self._receive()

    def settle(self) -> None:
        """
        Go on until no reply is owed, or the session is lost: a message may be over before all its commands have theirs.
        """
        while self.engine.awaits is not None and self.lost is None:
            self.work()

    def work(self) -> None:
        """
        Wait until the server says or takes something, or the time for that is up, and act on it.
        """
        ready = self._wait()
        if not ready:
            self._note_that_time_is_up()
        if self._output and ready & (self._to_write | BROKEN):
            self._send()
        if self.lost is None and ready & (self._to_read | BROKEN):
            self._receive()

    def _wait(self) -> int:
        what = self._to_read | (self._to_write if self._output else 0)
        return wait_for(self._connection, what, self._since + self._seconds - time.monotonic())

    @property
    def _seconds(self) -> float:
        """
        How long the server may do nothing; while it has to be sent something, at least what a block may take.
        """
        point = self.engine.awaits
        if point is Point.CONTENT and self.engine.is_ending:
            return self._deadlines.after_421_seconds
        if point is None:
            return self._deadlines.block_seconds
        seconds = self._deadlines.seconds_for(point)
        return max(seconds, self._deadlines.block_seconds) if self._output else seconds

    def _note_that_time_is_up(self) -> None:
        point = None if self._output else self.engine.awaits
        self.give_up(f"waited too long for {point.value}" if point else "the server takes nothing more")

    def _send(self) -> None:
        self._to_write = WRITABLE
        try:
            count = self._connection.send(self._output)
        except (BlockingIOError, ssl.SSLWantWriteError):
            return
        except ssl.SSLWantReadError:
            self._to_write = READABLE
        except OSError as error:
            self._rescue(error)
        else:
            del self._output[:count]
            self._since = time.monotonic()

    def _rescue(self, error: OSError) -> None:
        """
        Read what is left in the socket when writing fails, because the server has answered and closed.

        Whoever is told 250 there must not be sent the message again.
        """
        self._output.clear()
        while self.lost is None and (octets := self._read()):
            self._hear(octets)
        self.give_up(f"the connection was lost: {error}")

    def _receive(self) -> None:
        octets = self._read()
        if octets:
            self._hear(octets)
        elif octets is not None:
            self._act(self.engine.receive_eof())

    def _read(self) -> bytes | None:
        self._to_read = READABLE
        try:
            return self._connection.recv(_READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except ssl.SSLWantWriteError:
            self._to_read = WRITABLE
        except OSError as error:
            self.give_up(f"the connection was lost: {error}")
        return None

    def _hear(self, octets: bytes) -> None:
        if self._transcript is not None:
            self._transcript.server(octets)
        if b"\n" in octets:  # who sends a reply octet by octet has no more time for it
            self._since = time.monotonic()
        self._act(self.engine.receive_data(octets))

    def _act(self, events: list[ClientEvent]) -> None:
        """
        Act on events, and see to it that what there is to send is sent.
        """
        for event in events:
            self._act_on(event)
        if octets := self.engine.data_to_send():
            self._write(octets)
        if self.lost is not None:
            self._close()

    def _act_on(self, event: ClientEvent) -> None:
        match event:
            case RecipientResolved(transaction, index, result) if transaction in self._told:
                self._told[transaction](index, result)
            case TransactionEnded(transaction):
                self._told.pop(transaction, None)
            case ReplyReceived(_, reply):
                self._replies.append(reply)
            case SessionLost():
                self.lost = event

    def _write(self, octets: bytes) -> None:
        if self._transcript is not None:
            self._transcript.client(b"(secret)\r\n" if self._quotes_secret else octets)
        self._quotes_secret = False
        if not self._output:
            self._since = time.monotonic()
        self._output += octets

    def _close(self) -> None:
        if self.tls is not None:
            with contextlib.suppress(OSError, ValueError):  # who has gone need not be told
                self.tls.unwrap()
        self._connection.close()
