# SPDX-License-Identifier: Apache-2.0
"""
One connection: the engine on one side, an asyncio transport on the other, the handler between them.

The only module that touches a transport. It moves octets, starts the handler's tasks, watches the deadlines, holds the
flow back both ways and tells the observer; every decision about the protocol is the engine's.
"""

import asyncio
import contextlib
import errno
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from lmtp.aio.reporter import Reporter
from lmtp.aio.session import Session, Transaction
from lmtp.aio.spool import Spool
from lmtp.protocol import events, reply
from lmtp.protocol.envelope import Recipient
from lmtp.protocol.errors import DeliveryError, LocalProtocolError
from lmtp.protocol.outcome import Accepted, Deferred, Verdict, refusal_for
from lmtp.protocol.phases import PHASES, Phase, Wait
from lmtp.protocol.reply import Reply
from lmtp.protocol.server import ServerConnection

if TYPE_CHECKING:
    from lmtp.aio.server import Server


class Connection(asyncio.BufferedProtocol):
    """
    One session of a server.

    Args:
        server: Whose it is: it brings the handler, the settings and the observer, and counts its connections.
        endpoint: Where the client came in.
    """

    def __init__(self, server: "Server", endpoint: str) -> None:
        self._server = server
        self._settings = server.settings
        self._loop = asyncio.get_running_loop()
        self._session = Session(
            server.next_session_id(), endpoint, "", "", server.settings.server_name, server.settings.dialect.name
        )
        self._report = Reporter(self._session, server.observer)
        self._engine = ServerConnection(
            server.settings.server_name,
            dialect=server.settings.dialect,
            limits=server.settings.limits,
            leniency=server.settings.leniency,
            notify=self._wake,
        )
        self._transport: asyncio.Transport | None = None
        self._transaction: Transaction | None = None
        self._transactions = 0
        self._content_ended = 0.0
        self._verifications: set[asyncio.Task[None]] = set()
        self._deliveries: set[asyncio.Task[None]] = set()
        self._is_woken = False
        self._has_waited = False
        self._has_client_left = False
        self._is_writing_paused = False
        self._is_reading_paused = False
        self._opened = self._last_activity = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._reason = "connection lost"

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Greet the client, or send it away when there are too many or the server is going down.
        """
        transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass, so there is nothing to check
        self._transport = transport
        name = transport.get_extra_info("peername")
        if isinstance(name, tuple):
            self._session.peer_address = name[0]
            self._session.peer = f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
        else:
            self._session.peer = "unix"
        refusal = self._server.admit(self)
        if refusal is not None:
            self._turn_away(transport, refusal)
            return
        self._report.opened()
        self._watch()
        self._proceed()

    def _turn_away(self, transport: asyncio.Transport, refusal: Reply) -> None:
        transport.write(bytes(refusal))
        transport.close()
        self._transport = None
        self._report.turned_away(refusal)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's shape
        """
        Say where to put what comes in: one place for all connections, as it is copied out before the next one reads.
        """
        return self._server.input_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """
        Let the engine have what came in.
        """
        if self._engine.phase is Phase.CONTENT:
            self._last_activity = self._loop.time()  # half a command is no activity: only a reply to a whole one is
        self._engine.receive_data(self._server.input_buffer[:nbytes])
        self._proceed()

    def eof_received(self) -> bool:
        """
        The client has said all it will; what is owed to it is still sent before we close.
        """
        self._report_lost_replies()
        self._engine.receive_eof()
        self._proceed()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """
        The connection is gone; a delivery that has begun goes on, for it may be past the point of return.
        """
        if self._transport is None:
            return
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        for task in self._verifications:
            task.cancel()
        doing = PHASES[self._engine.phase].doing
        if exc is not None:
            self._reason = f"connection lost: {exc}"
        self._report_lost_replies()
        self._engine.receive_reset()
        self._proceed()
        self._report.closed(
            reason=self._reason,
            doing=doing,
            transactions=self._transactions,
            seconds=self._loop.time() - self._opened,
        )
        if not self._deliveries:
            self._server.dismiss(self)

    def pause_writing(self) -> None:
        """
        The client does not take our replies: stop reading its commands.
        """
        self._is_writing_paused = True
        self._hold_back()

    def resume_writing(self) -> None:
        """
        The client reads again.
        """
        self._is_writing_paused = False
        self._hold_back()

    # What the server calls.

    def drain(self) -> None:
        """
        Let an open transaction come to its end, then close.
        """
        self._engine.drain()
        self._proceed()

    def stop(self) -> None:
        """
        Close now: recipients without an outcome are deferred, what has been answered is still sent.
        """
        self._engine.close(reply.SHUTTING_DOWN)
        self._proceed()
        for task in (*self._verifications, *self._deliveries):
            task.cancel()

    def cut(self) -> None:
        """
        Cut the connection: the client does not even take our last words.
        """
        if self._transport is not None:
            self._transport.abort()

    # From the engine to the world.

    def _wake(self) -> None:
        """
        Somebody decided something: go on in the next turn of the loop, once for all that is decided in this one.
        """
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon(self._proceed)

    def _proceed(self) -> None:
        self._is_woken = False
        try:
            self._react()
        except Exception as error:  # noqa: BLE001 - our own fault, which the client must not pay for with a silent close
            self._apologize(error)
        if self._verifications and not self._has_waited:
            # Most verdicts come within one turn of the loop: then all replies to a pipelined group leave together.
            self._has_waited = True
            self._wake()
            return
        self._has_waited = False
        self._send()
        self._hold_back()
        self._hasten()

    def _react(self) -> None:
        while happened := self._engine.next_events():
            for event in happened:
                self._REACTIONS[type(event)](self, event)

    def _apologize(self, error: Exception) -> None:
        """
        Answer whatever is owed and close; what the engine reports of that has nobody left to be reported to.
        """
        if self._transaction is not None:
            self._transaction.content.release()
        self._report.failed(self._transaction, "handling the session", error)
        self._engine.close(reply.INTERNAL_ERROR)
        self._reason = str(reply.INTERNAL_ERROR)
        self._engine.next_events()

    def _send(self) -> None:
        octets = self._engine.data_to_send()
        if self._transport is None:
            return
        if octets:
            self._last_activity = self._loop.time()
            self._transport.write(octets)
        if self._engine.phase is Phase.CLOSED and not self._transport.is_closing():
            self._last_activity = self._loop.time()
            self._transport.close()

    def _hold_back(self) -> None:
        """
        Read only while what comes in can be acted on and the client takes what we say.
        """
        wanted = self._is_writing_paused or self._engine.has_backlog
        if self._transport is None or self._transport.is_closing() or wanted is self._is_reading_paused:
            return
        self._is_reading_paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # Transactions.

    @property
    def _open(self) -> Transaction:
        assert self._transaction is not None, "the engine opens a transaction first"  # noqa: S101
        return self._transaction

    def _greeted(self, event: events.ClientGreeted) -> None:
        self._session.client_name = event.client_name

    def _open_transaction(self, event: events.TransactionOpened) -> None:
        self._transactions += 1
        content = Spool(self._server.memory, self._settings.spool_threshold_bytes, self._settings.spool_folder or None)
        transaction_id = f"{self._session.session_id}-{self._transactions}"
        self._transaction = Transaction(self._session, transaction_id, event.envelope, content)

    def _spool(self, event: events.ContentReceived) -> None:
        transaction = self._open
        try:
            transaction.content.write(event.octets)
        except OSError as error:
            status = "4.3.1" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "4.3.0"
            refusal = Deferred(status, detail=f"can't spool the content: {error}")
            self._engine.refuse_content(transaction.envelope, refusal)

    def _refuse_content(self, _event: events.ContentRefused) -> None:
        self._content_ended = self._loop.time()

    def _close_transaction(self, _event: events.TransactionAnswered) -> None:
        self._open.content.release()
        self._transaction = None

    def _end_session(self, event: events.SessionEnded) -> None:
        self._reason = event.reason

    def _ignore(self, event: events.Event) -> None:
        """
        Nothing to do here: the engine does it.
        """

    def _verify(self, event: events.RecipientOffered) -> None:
        verifier = self._server.verifier
        if verifier is None:
            self._engine.decide(event.recipient, Accepted())
            return
        with self._faults_decide(event.recipient, self._open):
            verdict = verifier.verify(event.recipient, self._open)
            if not isinstance(verdict, Awaitable):
                self._engine.decide(event.recipient, verdict)
                return
            task = self._loop.create_task(self._await_verdict(verdict, event.recipient, self._open))
            self._verifications.add(task)
            task.add_done_callback(self._verifications.discard)

    async def _await_verdict(self, asked: Awaitable[Verdict], recipient: Recipient, transaction: Transaction) -> None:
        with self._faults_decide(recipient, transaction):
            async with asyncio.timeout(self._settings.deadlines.verify_seconds):
                verdict = await asked
            self._engine.decide(recipient, verdict)
        self._wake()

    @contextlib.contextmanager
    def _faults_decide(self, recipient: Recipient, transaction: Transaction) -> Iterator[None]:
        """
        Turn whatever a verifier raises into the verdict on this recipient.
        """
        try:
            yield
        except DeliveryError as error:
            self._engine.decide(recipient, refusal_for(error))
        except _FAULTS as error:
            _reraise_if_ours(error)
            self._report.failed(transaction, f"verifying {recipient.forward_path}", error)
            self._engine.decide(recipient, Deferred("4.3.0"))

    def _deliver(self, event: events.ContentCompleted) -> None:
        self._content_ended = self._loop.time()
        if event.envelope.unsettled:  # it may have been refused between its end and now
            task = self._loop.create_task(self._run_delivery(self._open))
            self._deliveries.add(task)
            task.add_done_callback(self._end_delivery)

    async def _run_delivery(self, transaction: Transaction) -> None:
        try:
            async with asyncio.timeout(self._settings.deadlines.delivery_seconds):
                await self._server.handler.deliver(transaction)
            _complain_of(transaction.envelope.unsettled)
        except _FAULTS as error:
            _reraise_if_ours(error)
            self._report.failed(transaction, "delivering", error)
        finally:
            self._finish_delivery(transaction)

    def _finish_delivery(self, transaction: Transaction) -> None:
        for recipient in transaction.envelope.unsettled:
            recipient.abandon(Deferred("4.3.0"))
        transaction.content.release()

    def _end_delivery(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        if self._transport is None and not self._deliveries:
            self._proceed()
            self._server.dismiss(self)

    # Deadlines: one timer a connection, moved on when it rings too early, so that activity costs nothing.

    def _watch(self) -> None:
        wait = self._settings.deadlines.seconds_for(self._wait)
        self._timer = self._loop.call_at(self._last_activity + wait, self._ring)

    def _hasten(self) -> None:
        """
        Ring earlier when what the session waits for now has a shorter deadline than what it waited for.
        """
        if self._transport is not None and self._timer is not None:
            due = self._last_activity + self._settings.deadlines.seconds_for(self._wait)
            if due < self._timer.when():
                self._timer.cancel()
                self._watch()

    @property
    def _wait(self) -> Wait:
        return Wait.HANDLER if self._engine.replies_owed else PHASES[self._engine.phase].wait

    def _ring(self) -> None:
        wait = self._wait
        if wait is Wait.HANDLER:
            self._last_activity = self._loop.time()  # the handler has deadlines of its own
        elif self._loop.time() - self._last_activity >= self._settings.deadlines.seconds_for(wait):
            self._give_up()
        if self._transport is not None:
            self._watch()

    def _give_up(self) -> None:
        assert self._transport is not None, "the timer ends with the connection"  # noqa: S101
        if self._engine.phase is Phase.CLOSED or self._is_writing_paused:
            self._reason = "the client did not take our replies"
            self._transport.abort()
            return
        self._engine.close(reply.IDLE_TOO_LONG)
        self._proceed()

    # What the observer is told.

    def _report_transaction_refused(self, event: events.TransactionRefused) -> None:
        self._report.transaction_refused(event.reverse_path, event.reply)

    def _report_decision(self, event: events.RecipientDecided) -> None:
        self._report.recipient_decided(self._open, event)

    def _report_outcome(self, event: events.RecipientSettled) -> None:
        self._report.recipient_settled(self._open, event, self._loop.time() - self._content_ended)

    def _report_abort(self, event: events.TransactionAborted) -> None:
        transaction = self._open
        transaction.content.release()
        self._transaction = None
        self._report.transaction_aborted(transaction, event.reason)

    def _report_command(self, event: events.CommandRefused) -> None:
        self._report.command_refused(event.line, event.reply)

    def _report_lost_replies(self) -> None:
        """
        Name the recipients whose replies can't reach the client; not again when the connection breaks after its end.
        """
        unanswered = self._engine.unanswered
        if unanswered and not self._has_client_left:
            self._has_client_left = True
            self._report.replies_lost(self._open, unanswered)

    _REACTIONS: ClassVar[Mapping[type[events.Event], Callable[["Connection", Any], None]]] = {
        events.ClientGreeted: _greeted,
        events.TransactionOpened: _open_transaction,
        events.TransactionRefused: _report_transaction_refused,
        events.RecipientOffered: _verify,
        events.RecipientDecided: _report_decision,
        events.ContentStarted: _ignore,
        events.ContentReceived: _spool,
        events.ContentCompleted: _deliver,
        events.ContentRefused: _refuse_content,
        events.RecipientSettled: _report_outcome,
        events.TransactionAnswered: _close_transaction,
        events.TransactionAborted: _report_abort,
        events.CommandRefused: _report_command,
        events.SessionEnded: _end_session,
    }
    """What is done about each event of the engine."""


_FAULTS: Final = (Exception, asyncio.CancelledError)
"""Whatever a handler raises, each recipient gets its reply; also when it awaits a task that somebody cancelled."""


def _reraise_if_ours(error: Exception | asyncio.CancelledError) -> None:
    """
    Let a cancellation through that was meant for our task.
    """
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error


def _complain_of(forgotten: list[Recipient]) -> None:
    if forgotten:
        raise LocalProtocolError(f"the handler left {len(forgotten)} recipients without an outcome")
