# SPDX-License-Identifier: Apache-2.0
"""
One connection: the engine on one side, an asyncio transport on the other, the handler between them.

The only module that touches a transport. It moves octets, starts the handler's tasks, watches the deadlines, holds the
flow back both ways and tells the observer; every decision about the protocol is the engine's.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, assert_never, cast

from lmtp.aio.admission import Admission
from lmtp.aio.closing import Closing
from lmtp.aio.listeners import Endpoint, TcpEndpoint
from lmtp.aio.login import Login
from lmtp.aio.proxyline import ProxyDecoder, ProxyError
from lmtp.aio.reporter import Reporter
from lmtp.aio.session import Session
from lmtp.aio.transactions import Transactions
from lmtp.aio.upgrade import Stage, Upgrade, Upgraded
from lmtp.aio.watch import Watch
from lmtp.aio.work import Work
from lmtp.protocol import events, reply
from lmtp.protocol.phases import PHASES, Phase, Wait
from lmtp.protocol.reply import Reply
from lmtp.protocol.server import ServerConnection

if TYPE_CHECKING:
    from lmtp.aio.server import Server

_FAREWELLS: Final = ("quit", "client left")
"""The ends after which the client has nothing more to say."""


class Connection(asyncio.BufferedProtocol):
    """
    One session of a server.

    Args:
        server: Whose it is: it brings the handler, the settings and the observer, and counts its connections.
        endpoint: Where the client came in.
    """

    def __init__(self, server: "Server", endpoint: Endpoint) -> None:
        settings = server.settings
        self._server = server
        self._begins_with_tls = isinstance(endpoint, TcpEndpoint) and endpoint.is_tls
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._session = Session(
            server.next_session_id(), str(endpoint), "", "", settings.server_name, settings.dialect.name
        )
        self._report: Reporter = Reporter(self._session, server.observer)
        self._engine = ServerConnection(
            settings.server_name,
            dialect=settings.dialect,
            limits=settings.limits,
            leniency=settings.leniency,
            notify=self._wake,
        )
        self._admission: Admission = Admission(
            settings.admittance,
            self._session,
            self._report,
            has_tls=server.tls is not None,
            authenticator=server.authenticator,
        )
        self._login: Login = Login(
            server.authenticator, server.login_threads, engine=self._engine, report=self._report, answered=self._wake
        )
        self._transactions: Transactions = Transactions(
            self._session,
            make_spool=server.make_spool,
            refuse=self._engine.refuse_content,
            report=self._report,
        )
        self._work = self._make_work()
        self._upgrade = self._make_upgrade()
        self._watch = Watch(settings.deadlines, self._waits_for, self._give_up)
        self._closing = Closing()
        self._stage = Stage.SESSION
        self._proxy = ProxyDecoder()
        self._opened: float | None = None
        self._is_woken = self._has_waited = self._is_writing_paused = self._is_reading_paused = False
        self._is_client_speaking = False
        self._reason = ""

    def _make_work(self) -> Work:
        return Work(
            self._server.handler,
            self._server.verifier,
            deadlines=self._server.settings.deadlines,
            report=self._report,
            decide=self._engine.decide,
            decided=self._wake,
            delivered=self._end_delivery,
        )

    def _make_upgrade(self) -> Upgrade:
        return Upgrade(
            self._server.tls,
            self,
            timeout_seconds=self._server.settings.deadlines.handshake_seconds,
            succeeded=self._go_on_under_tls,
            failed=lambda error: self._break_off(f"failed: {error}"),
        )

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Let the client in, or send it away when there are too many or the server is going down.
        """
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass: there is nothing to check
        self._admission.arrive(transport)
        refusal = self._server.admit(self)
        if refusal is not None:
            self._turn_away(self._transport, refusal)
            return
        self._watch.start()
        if self._admission.begins_with_proxy_header:
            self._stage = Stage.PROXY
        else:
            self._enter()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's shape
        """
        Say where to put what comes in: one place for all connections, as it is copied out before the next one reads.
        """
        if self._stage is Stage.PROXY:
            return self._server.input_buffer[: self._proxy.needed_bytes]  # not an octet of what follows the header
        return self._server.input_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """
        Let the engine have what came in.
        """
        received = self._server.input_buffer[:nbytes]
        match self._stage:
            case Stage.SESSION:
                self._take(received)
            case Stage.PROXY:
                self._take_proxy_header(received)
            case Stage.TLS:
                self._upgrade.keep(received)
            case Stage.CLOSING:
                self._closing.take(nbytes)
            case _:
                assert_never(self._stage)

    def eof_received(self) -> bool:
        """
        The client has said all it will; what is owed to it is still sent before we close, but for TLS, which can't.
        """
        if self._stage.is_arrival:
            self._break_off("ended before it was complete")
        if self._stage is not Stage.SESSION:
            return False
        self._transactions.report_lost_replies(self._engine.unanswered)
        self._engine.receive_eof()
        self._proceed()
        return self._session.tls is None

    def connection_lost(self, exc: Exception | None) -> None:
        """
        The connection is gone; a delivery that has begun goes on, for it may be past the point of return.
        """
        if self._transport is None:
            return
        why = f"connection lost: {exc}" if exc else "connection lost"
        if self._stage.is_arrival:
            self._report.arrival_failed(f"{self._stage.value}: {why}")
        self._depart(why if exc else "")

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
        if self._stage is Stage.TLS:
            self._upgrade.begin()
        else:
            self._wake()

    # How a connection becomes a session, and how it ends.

    def _turn_away(self, transport: asyncio.Transport, refusal: Reply) -> None:
        """
        Close the connection of a client that is not counted; where TLS is expected there is nothing to say in clear.
        """
        self._transport = None
        if not self._begins_with_tls:
            transport.write(bytes(refusal))
        transport.close()
        self._report.turned_away(refusal)

    def _take_proxy_header(self, octets: memoryview) -> None:
        try:
            header = self._proxy.receive_data(octets)
        except ProxyError as error:
            self._break_off(f"failed: {error}")
            return
        if header is not None:
            self._admission.take_proxy_header(header)
            self._enter()

    def _enter(self) -> None:
        """
        Go on from the PROXY header, or from the very beginning.
        """
        if self._begins_with_tls:
            self._await_handshake()
        else:
            self._begin()

    def _begin(self) -> None:
        """
        Greet the client, or tell it that it may not come in.
        """
        self._stage = Stage.SESSION
        self._admission.begin()
        if self._admission.may_connect:
            self._engine.offer = self._admission.offer
            self._opened = self._loop.time()
            self._report.opened()
        else:
            self._engine.data_to_send()  # the greeting, which is not for this client
            self._engine.close(reply.ACCESS_DENIED)
            self._report.turned_away(reply.ACCESS_DENIED)
        self._proceed()

    def _break_off(self, detail: str) -> None:
        """
        Cut a connection on which nothing can be said: nobody knows what the other end would understand.
        """
        assert self._transport is not None, "it is connected"  # noqa: S101
        reason = f"{self._stage.value} {detail}"
        self._report.arrival_failed(reason)
        self._transport.abort()
        self._depart(reason)

    def _depart(self, reason: str) -> None:
        self._transport = None
        self._watch.stop()
        self._closing.stop()
        self._work.cancel_verifications()
        self._upgrade.cancel()
        self._login.cancel()
        doing = PHASES[self._engine.phase].doing
        self._reason = self._reason or reason
        self._transactions.report_lost_replies(self._engine.unanswered)
        self._engine.receive_reset()
        self._proceed()
        if self._opened is not None:
            self._report.closed(
                reason=self._reason,
                doing=doing,
                transactions=self._transactions.count,
                seconds=self._loop.time() - self._opened,
            )
        if not self._work.is_delivering:
            self._server.dismiss(self)

    # What the server calls.

    def drain(self) -> None:
        """
        Let an open transaction come to its end, then close.
        """
        self._login.end_pause()
        self._engine.drain()
        if self._stage is Stage.SESSION:
            self._proceed()

    def stop(self) -> None:
        """
        Close now: recipients without an outcome are deferred, what has been answered is still sent.
        """
        if self._stage.is_arrival and self._transport is not None:
            self._break_off("was cut short: we shut down")
        self._close(reply.SHUTTING_DOWN)
        self._proceed()
        self._work.cancel()

    def cut(self) -> None:
        """
        Cut the connection: the client does not even take our last words.
        """
        if self._transport is not None:
            self._transport.abort()

    # From the client to the engine, and from the engine to the world.

    def _take(self, octets: bytes | memoryview) -> None:
        if self._engine.phase is Phase.CONTENT or self._engine.phase is Phase.CHUNK:
            self._watch.note_content(len(octets))  # half a command buys nothing: only a whole one is answered
        self._is_client_speaking = True
        self._engine.receive_data(octets)
        self._proceed()
        self._is_client_speaking = self._engine.phase is Phase.CONTENT or self._engine.phase is Phase.CHUNK

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
            while self._engine.is_full and not self._is_writing_paused:
                self._send()
                self._react()
        except Exception as error:  # noqa: BLE001 - our own fault, which the client must not pay for with a silent close
            self._apologize(error)
        if self._work.is_verifying and not self._has_waited:
            # Most verdicts come within one turn of the loop: then all replies to a pipelined group leave together.
            self._has_waited = True
            self._wake()
            return
        self._has_waited = False
        self._send()
        self._hold_back()
        self._watch.hasten()

    def _react(self) -> None:
        while happened := self._engine.next_events():
            for event in happened:
                self._REACTIONS[type(event)](self, event)

    def _apologize(self, error: Exception) -> None:
        """
        Answer whatever is owed and close; what the engine reports of that has nobody left to be reported to.
        """
        transaction = self._transactions.current
        if transaction is not None:
            transaction.content.release()
        self._report.failed(transaction, "handling the session", error)
        self._close(reply.INTERNAL_ERROR)
        self._reason = str(reply.INTERNAL_ERROR)
        self._engine.next_events()

    def _close(self, last_reply: Reply) -> None:
        self._login.abandon()
        self._engine.close(last_reply)

    def _send(self) -> None:
        octets = self._engine.data_to_send()
        if self._transport is None:
            return
        if octets:
            self._watch.note_activity()
            self._transport.write(octets)
        if self._engine.phase is Phase.CLOSED and self._stage is Stage.SESSION and not self._transport.is_closing():
            self._hang_up(self._transport)

    def _hang_up(self, transport: asyncio.Transport) -> None:
        self._watch.note_activity()
        self._stage = Stage.CLOSING
        self._closing.begin(transport, is_client_speaking=self._is_client_speaking and self._reason not in _FAREWELLS)

    def _hold_back(self) -> None:
        """
        Read only while what comes in can be acted on and the client takes what we say.
        """
        wanted = self._is_writing_paused or self._engine.has_backlog
        if wanted is self._is_reading_paused or self._stage is not Stage.SESSION:
            return
        if self._transport is None or self._transport.is_closing():
            return
        self._is_reading_paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # Transactions.

    def _verify(self, event: events.RecipientOffered) -> None:
        self._work.verify(event.recipient, self._transactions.open)

    def _deliver(self, event: events.ContentCompleted) -> None:
        self._transactions.end_content()
        if event.envelope.unsettled:  # it may have been refused between its end and now
            self._work.deliver(self._transactions.open)

    def _end_delivery(self) -> None:
        if self._transport is None and not self._work.is_delivering:
            self._proceed()
            self._server.dismiss(self)

    def _end_session(self, event: events.SessionEnded) -> None:
        self._reason = self._reason or event.reason

    # Deadlines.

    def _waits_for(self) -> Wait:
        return Wait.HANDLER if self._engine.replies_owed else PHASES[self._engine.phase].wait

    def _give_up(self) -> None:
        assert self._transport is not None, "the watch ends with the connection"  # noqa: S101
        if self._stage.is_arrival:
            self._break_off("took too long")
        elif self._engine.phase is Phase.CLOSED or self._is_writing_paused:
            self._reason = "the client did not take our replies"
            self._transport.abort()
        else:
            self._engine.close(reply.IDLE_TOO_LONG)
            self._proceed()

    # Who the client is.

    def _start_tls(self, _event: events.TlsRequested) -> None:
        self._send()  # the 220 is the last that leaves in clear
        self._await_handshake()

    def _await_handshake(self) -> None:
        """
        Read nothing more in clear, and do the handshake when all that was said in clear is on its way.
        """
        assert self._transport is not None, "it is connected"  # noqa: S101
        self._stage = Stage.TLS
        self._upgrade.prepare(self._transport)
        if not self._is_writing_paused:
            self._upgrade.begin()

    def _go_on_under_tls(self, upgraded: Upgraded) -> None:
        self._transport = upgraded.transport
        self._is_reading_paused = False
        self._watch.note_activity()
        self._admission.take_tls(upgraded.facts)
        self._report.tls_started(upgraded.facts)
        self._begin_anew()
        if upgraded.early:
            self._take(upgraded.early)

    def _begin_anew(self) -> None:
        """
        Begin the session, or begin it anew without a greeting (RFC 3207 §4.2).
        """
        if self._engine.phase is not Phase.HANDSHAKE:
            self._begin()
            return
        self._stage = Stage.SESSION
        self._admission.begin_anew()
        self._engine.tls_started(self._admission.offer)
        self._proceed()

    def _end_login(self, event: events.AuthenticationEnded) -> None:
        self._admission.take_authentication(event)
        self._report.authentication_ended(event)

    def _replace_client(self, event: events.ClientReplaced) -> None:
        self._admission.take_xclient(event)
        self._engine.offer = self._admission.offer
        self._report.client_replaced()

    def _note_client_name(self, event: events.ClientGreeted) -> None:
        self._session.client_name = event.client_name

    def _note_trace(self, event: events.SessionTraced) -> None:
        self._session.trace_id = event.trace_id

    _REACTIONS: ClassVar[Mapping[type[events.Event], Callable[["Connection", Any], None]]] = {
        events.ClientGreeted: _note_client_name,
        events.TransactionOpened: lambda self, event: self._transactions.begin(event),
        events.TransactionRefused: lambda self, event: self._report.transaction_refused(event),
        events.RecipientOffered: _verify,
        events.RecipientDecided: lambda self, event: self._transactions.report_decision(event),
        events.ContentStarted: lambda _self, _event: None,
        events.ContentReceived: lambda self, event: self._transactions.take_content(event),
        events.ContentCompleted: _deliver,
        events.ContentRefused: lambda self, _event: self._transactions.end_content(),
        events.RecipientSettled: lambda self, event: self._transactions.report_outcome(event),
        events.TransactionAnswered: lambda self, _event: self._transactions.end(),
        events.TransactionAborted: lambda self, event: self._transactions.abort(event),
        events.CommandRefused: lambda self, event: self._report.command_refused(event),
        events.TlsRequested: _start_tls,
        events.AuthenticationStarted: lambda self, event: self._login.begin(event, self._admission.channel),
        events.AuthenticationContinued: lambda self, event: self._login.go_on(event),
        events.AuthenticationEnded: _end_login,
        events.ClientReplaced: _replace_client,
        events.ClientForwarded: lambda self, event: self._admission.take_xforward(event),
        events.SessionTraced: _note_trace,
        events.SessionEnded: _end_session,
    }
    """What is done about each event of the engine."""
