# SPDX-License-Identifier: Apache-2.0
"""
The server's half of a session, without any I/O: octets in, events out, decisions back, octets to send.

    connection.receive_data(octets)            # what the transport read
    while happened := connection.next_events():
        for event in happened:                 # what it means
            ...                                # decide() recipients, settle() them
    transport.write(connection.data_to_send()) # what is to be sent now

After `receive_data`, `receive_eof`, `decide`, `authenticate` or `Recipient.settle` call `next_events` until nothing
happens any more, then `data_to_send`: a decision may let commands go on that had to wait for it. Not here: time,
sockets, what anybody decides. Nothing a peer sends raises; `LocalProtocolError` is for the caller.
RFC 2033, RFC 5321 §4.1, RFC 2920, RFC 2034, RFC 3030, RFC 3207, RFC 4954.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, NamedTuple

from lmtp.protocol import commands as cmd
from lmtp.protocol import events, reply, sasl
from lmtp.protocol.authentication import MAX_LINE, Authentication
from lmtp.protocol.commands import Command
from lmtp.protocol.dialect import LMTP, Dialect
from lmtp.protocol.envelope import Envelope, Recipient
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.extensions import Demand, Offer
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.lines import LineBuffer
from lmtp.protocol.outcome import Deferred, Refusal, Verdict
from lmtp.protocol.parameters import CommandError
from lmtp.protocol.parser import vocabulary
from lmtp.protocol.phases import Phase, Step
from lmtp.protocol.reply import Reply
from lmtp.protocol.state import SessionState
from lmtp.protocol.transactions import Transactions

_LOGGED_LINE_BYTES: Final = 200

_SHUTTING_DOWN: Final = Deferred("4.3.2")

_UNDECIDED: Final = (cmd.Bdat, cmd.Auth)  # a chunk may still be refused, an exchange given up, over and over
_ALLOWED_IN_CLEAR: Final = (cmd.Greet, cmd.Noop, cmd.StartTls, cmd.Quit, cmd.Bdat)
"""What a client may say that must use STARTTLS first; a chunk is refused after its octets (RFC 3207 §4)."""


class _Line(NamedTuple):
    """
    A line that was read, and what it turned out to be.
    """

    octets: bytes
    command: Command | CommandError


class ServerConnection:
    """
    The engine of one session.

    Args:
        server_name: Our name in the greeting: a domain or an address literal.
        dialect: LMTP or SMTP.
        limits: How much the peer may ask of us.
        leniency: Which departures from the grammar are let pass.
        offer: What this client is offered.
        notify: Called when somebody settles a recipient: there may be events and octets to send.
    """

    def __init__(
        self,
        server_name: str,
        *,
        dialect: Dialect = LMTP,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        leniency: Leniency = Leniency.NONE,
        offer: Offer = Offer(),  # noqa: B008 - frozen
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        self._server_name = server_name
        self._dialect = dialect
        self._limits = limits
        self._leniency = leniency
        self._input = LineBuffer(limits.command_line_bytes, takes_lf=Leniency.LF_ENDS_COMMANDS in leniency)
        self._state = SessionState(self._input)
        self._ledger = self._state.ledger
        self._authentication = Authentication(self._state)
        self._input_ended = False
        self._held: _Line | None = None
        self._bad_commands = 0
        self._mail_commands = 0
        self._is_draining = False
        self._transactions = Transactions(
            self._state,
            dialect=dialect,
            limits=limits,
            leniency=leniency,
            refuse=self._refuse_chunk,
            notify=notify,
        )
        self.offer = offer
        self._greet_client()

    # What an I/O layer calls.

    @property
    def phase(self) -> Phase:
        """
        Where the session is.
        """
        return self._state.phase

    @property
    def offer(self) -> Offer:
        """
        What the client is offered; whoever learns more about the client sets it anew.
        """
        return self._offer

    @offer.setter
    def offer(self, offer: Offer) -> None:
        """
        Offer the client something else from now on.
        """
        self._offer = offer
        self._parser, self._lines = vocabulary(self._dialect, self._limits, self._leniency, offer)
        if offer.mechanisms:
            self._input.max_line_bytes = max(self._limits.command_line_bytes, MAX_LINE)

    @property
    def identity(self) -> str:
        """
        Whom the client has proved to act for (RFC 4954); empty: nobody.
        """
        return self._authentication.identity

    @property
    def has_backlog(self) -> bool:
        """
        More than a command has come in that can't be acted on before somebody decides: stop reading for now.
        """
        phase = self.phase
        is_waiting = self._held is not None or phase is Phase.REPLYING or phase is Phase.AUTHENTICATING
        return is_waiting and len(self._input) > self._input.max_line_bytes

    @property
    def is_full(self) -> bool:
        """
        There is so much to send that nothing is acted on before it has been taken.
        """
        return self._ledger.is_full

    @property
    def replies_owed(self) -> int:
        """
        How many replies can't be sent yet because somebody has not decided.
        """
        return self._ledger.owed

    @property
    def unanswered(self) -> list[Recipient]:
        """
        The accepted recipients of a complete content whose replies can't be sent yet.
        """
        return self._transactions.unanswered

    def receive_data(self, octets: bytes | memoryview) -> None:
        """
        Take what came in; call `next_events` then.

        Raises:
            LocalProtocolError: what comes in after `TlsRequested` is for whoever does the handshake.
        """
        if self.phase is Phase.HANDSHAKE:
            raise LocalProtocolError("what comes in now belongs to TLS")
        if self.phase is not Phase.CLOSED:  # a peer that goes on talking must not fill the memory
            self._input.feed(octets)

    def receive_eof(self) -> None:
        """
        Note that nothing more will come in; call `next_events` then. What is owed can still be sent.
        """
        self._input_ended = True

    def receive_reset(self) -> None:
        """
        Note that the connection is gone both ways; call `next_events` then.

        Nobody waits for verdicts any more, and no command that had to wait is obeyed: its client will say it again.
        What is being delivered may still be settled.
        """
        self._transactions.forget_verdicts()
        self._authentication.give_up()
        self._held = None
        self._input.octets.clear()
        self._input_ended = True

    def next_events(self) -> list[events.Event]:
        """
        Act on what came in as far as possible and return what happened; call it again after `data_to_send`.
        """
        while not self._ledger.is_full and self._advance():
            pass
        happened, self._state.events = self._state.events, []
        return happened

    def data_to_send(self) -> bytes:
        """
        Return what can be sent now; each octet is returned once.
        """
        return self._ledger.take()

    # What the programme behind the server decides.

    def decide(self, recipient: Recipient, verdict: Verdict) -> None:
        """
        Answer an RCPT; call `next_events` then.

        Raises:
            LocalProtocolError: this recipient is not waiting for a verdict, or this is none.
        """
        self._transactions.decide(recipient, verdict)

    def refuse_content(self, envelope: Envelope, refusal: Refusal) -> None:
        """
        Refuse a content for every recipient, also one that has just come to its end; the rest of it is thrown away.

        Nothing happens when the envelope's transaction is over.
        """
        self._transactions.refuse_content(envelope, refusal)

    def authenticate(self, step: sasl.Step) -> None:
        """
        Answer the client's response in an exchange of AUTH; call `next_events` then.

        Raises:
            LocalProtocolError: no response waits for an answer.
        """
        if self._authentication.answer(step) and self._authentication.failures >= self._limits.authentication_failures:
            self.close(reply.TOO_MANY_FAILURES)
        elif self.identity:
            self._bad_commands = 0

    def tls_started(self, offer: Offer) -> None:
        """
        Note that the handshake after `TlsRequested` succeeded.

        The session begins anew, without a greeting, and all that was said in clear is forgotten (RFC 3207 §4.2).

        Args:
            offer: What the client is offered from now on.

        Raises:
            LocalProtocolError: nobody asked for TLS.
        """
        if self.phase is not Phase.HANDSHAKE:
            raise LocalProtocolError("there was no STARTTLS")
        self._state.move(Step.START_ANEW)
        self._authentication = Authentication(self._state)
        self.offer = offer

    def drain(self) -> None:
        """
        Let an open transaction come to its end, then close with 421 (RFC 5321 §3.8); call `next_events` then.

        Commands that have come in are still answered, a new transaction with the 421.
        """
        self._is_draining = True

    def close(self, last_reply: Reply) -> None:
        """
        End the session now: recipients without an outcome are deferred, then the client gets the last reply.

        Call `next_events` then.
        """
        if self.phase is Phase.CLOSED:
            return
        self._authentication.give_up()
        self._transactions.decide_all(_SHUTTING_DOWN)
        self._transactions.abandon_all(_SHUTTING_DOWN)
        self._transactions.end(str(last_reply))
        self._ledger.add(last_reply)
        self._end(str(last_reply))

    # One step at a time.

    def _advance(self) -> bool:
        # Whether there may be another step.
        if self._transactions.is_discarding:
            return self._transactions.discard() or self._leave_if_left()
        return self._ADVANCES.get(self.phase, ServerConnection._advance_commands)(self)

    def _advance_content(self) -> bool:
        # A chunk that is complete waits for what has happened to be told, and is answered though its client has left.
        return self._transactions.take_content() or (not self._state.events and self._leave_if_left())

    def _stay(self) -> bool:
        return False  # somebody else has to act first, or nobody will any more

    def _advance_commands(self) -> bool:
        line = self._held or self._next_line()
        if line is None:
            return self._advance_idle()
        self._held = line if self._must_wait(line.command) else None
        if self._held is None:
            self._obey_or_refuse(line)
        # Who hears of XCLIENT may offer the client it names something else: what follows waits for that.
        return self._held is None and not isinstance(line.command, cmd.Xclient)

    def _must_wait(self, command: Command | CommandError) -> bool:
        """
        While recipients are undecided only more recipients are looked at, and not more than a ledger may hold.
        """
        if not self._transactions.has_undecided:
            return False
        return not isinstance(command, cmd.Rcpt) or self._ledger.owed >= self._limits.recipients

    def _advance_idle(self) -> bool:
        """
        There is no whole command: nothing to do, unless there will never be one.
        """
        if self._transactions.has_undecided:
            return False
        if self._is_draining and not self._input_ended and not self._transactions.is_open:
            self.close(reply.SHUTTING_DOWN)
        return self._leave_if_left()

    def _leave_if_left(self) -> bool:
        """
        Nothing more can be read: the session ends if nothing more will come; there is no further step either way.
        """
        if self._input_ended and self.phase is not Phase.CLOSED:
            self._transactions.end("client left")
            self._end("client left")
        return False

    def _advance_authentication(self) -> bool:
        line = self._input.next_line() if self._authentication.is_client_asked else None
        if line is None:
            return self._advance_idle() if self._authentication.is_client_asked else False
        if refusal := self._authentication.respond(line):
            self._refuse(refusal)
        return True

    def _next_line(self) -> _Line | None:
        octets = self._input.next_line()
        if octets is None:
            return None
        if isinstance(octets, Reply):
            return _Line(b"", CommandError(octets, ends_session=self._parser.announces_chunk(self._input.broken)))
        try:
            return _Line(octets, self._parser.parse(octets))
        except CommandError as error:
            return _Line(octets, error)

    def _obey_or_refuse(self, line: _Line) -> None:
        try:
            if isinstance(line.command, CommandError):
                raise line.command
            self._demand(line.command)
            self._COMMANDS[type(line.command)](self, line.command)
            if not isinstance(line.command, _UNDECIDED):
                self._bad_commands = 0
        except CommandError as error:
            self._state.events.append(events.CommandRefused(line.octets[:_LOGGED_LINE_BYTES], error.reply))
            self._refuse(error.reply)
            if error.ends_session:
                self.close(reply.OUT_OF_STEP)

    def _refuse(self, why: Reply) -> None:
        self._bad_commands += 1
        if self._bad_commands < self._limits.bad_commands:
            self._ledger.add(why)
        else:
            self.close(reply.TOO_MANY_ERRORS)  # RFC 5321 §7.8

    def _refuse_chunk(self, why: Reply) -> None:
        self._state.events.append(events.CommandRefused(b"BDAT", why))
        self._refuse(why)

    def _demand(self, command: Command) -> None:
        demands = self._offer.demands
        if Demand.TLS in demands and not self._offer.is_encrypted and not isinstance(command, _ALLOWED_IN_CLEAR):
            raise CommandError(reply.TLS_REQUIRED)
        if Demand.AUTHENTICATION in demands and not self.identity and isinstance(command, cmd.Mail):
            raise CommandError(reply.AUTHENTICATION_REQUIRED)

    # Who the client is.

    def _greet_client(self) -> None:
        self._ledger.add(reply.greeting(self._server_name, self._dialect.name))

    def _greet(self, command: cmd.Greet) -> None:
        self._state.move(Step.GREET)
        self._transactions.end("greeted again")
        self._ledger.add(reply.extension_list(self._server_name, self._lines))
        self._state.events.append(events.ClientGreeted(command.client_name))

    def _start_tls(self, _command: cmd.StartTls) -> None:
        self._state.phase_after(Step.STARTTLS)
        if self._input.octets:
            # Commands that came in clear must not be obeyed as if TLS had protected them (RFC 3207 §6). No client
            # that means well sends any.
            raise CommandError(reply.NOTHING_AFTER_STARTTLS, ends_session=True)
        self._state.move(Step.STARTTLS)
        self._ledger.add(reply.START_TLS)
        self._state.events.append(events.TlsRequested())

    def _auth(self, command: cmd.Auth) -> None:
        self._authentication.begin(command, self._offer.mechanisms)

    def _xclient(self, command: cmd.Xclient) -> None:
        self._state.move(Step.START_ANEW)
        self._greet_client()
        self._state.events.append(events.ClientReplaced(command.attributes))

    def _xforward(self, command: cmd.Xforward) -> None:
        self._state.move(Step.FORWARD)
        self._ledger.add(reply.FORWARD_OK)
        self._state.events.append(events.ClientForwarded(command.attributes))

    def _trace(self, command: cmd.Trace) -> None:
        self._ledger.add(reply.TRACE_OK)
        self._state.events.append(events.SessionTraced(command.trace_id))

    # Transactions.

    def _rset(self, _command: cmd.Rset) -> None:
        self._state.move(Step.RSET)
        self._transactions.end("reset")
        self._ledger.add(reply.RESET_OK)

    def _noop(self, _command: cmd.Noop) -> None:
        self._ledger.add(reply.NOOP_OK)

    def _vrfy(self, _command: cmd.Vrfy) -> None:
        self._ledger.add(reply.CANNOT_VERIFY)

    def _help(self, _command: cmd.Help) -> None:
        self._ledger.add(reply.help_text([verb.decode("ascii") for verb in self._parser.verbs]))

    def _mail(self, command: cmd.Mail) -> None:
        self._state.phase_after(Step.MAIL)
        self._mail_commands += 1
        if self._is_draining:
            self.close(reply.SHUTTING_DOWN)
        elif 0 < self._limits.transactions < self._mail_commands:  # RFC 9422 §4.1
            self.close(reply.TOO_MANY_TRANSACTIONS)
        else:
            self._transactions.mail(command)

    def _rcpt(self, command: cmd.Rcpt) -> None:
        self._transactions.rcpt(command)

    def _data(self, _command: cmd.Data) -> None:
        self._transactions.data()

    def _bdat(self, command: cmd.Bdat) -> None:
        self._transactions.bdat(command)

    def _quit(self, _command: cmd.Quit) -> None:
        self._transactions.end("quit")
        self._ledger.add(reply.GOODBYE)
        self._end("quit")

    # The end.

    def _end(self, reason: str) -> None:
        self._state.move(Step.CLOSE)
        self._held = None
        self._state.events.append(events.SessionEnded(reason))

    _ADVANCES: ClassVar[Mapping[Phase, Callable[["ServerConnection"], bool]]] = {
        Phase.CONTENT: _advance_content,
        Phase.CHUNK: _advance_content,
        Phase.AUTHENTICATING: _advance_authentication,
        Phase.HANDSHAKE: _leave_if_left,
        Phase.REPLYING: _stay,
        Phase.CLOSED: _stay,
    }
    """What reads on, in the phases in which what comes in is no command."""

    _COMMANDS: ClassVar[Mapping[type, Callable[["ServerConnection", Any], None]]] = {
        cmd.Rcpt: _rcpt,
        cmd.Mail: _mail,
        cmd.Data: _data,
        cmd.Bdat: _bdat,
        cmd.Greet: _greet,
        cmd.Rset: _rset,
        cmd.Noop: _noop,
        cmd.Vrfy: _vrfy,
        cmd.Help: _help,
        cmd.Quit: _quit,
        cmd.StartTls: _start_tls,
        cmd.Auth: _auth,
        cmd.Xclient: _xclient,
        cmd.Xforward: _xforward,
        cmd.Trace: _trace,
    }
    """What is done about each command."""
