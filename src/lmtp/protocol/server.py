# SPDX-License-Identifier: Apache-2.0
"""
The server's half of a session, without any I/O: octets in, events out, decisions back, octets to send.

    connection.receive_data(octets)            # what the transport read
    for event in connection.next_events():     # what it means
        ...                                    # decide() recipients, settle() them
    transport.write(connection.data_to_send()) # what is to be sent now

After `receive_data`, `receive_eof`, `decide` or `Recipient.settle` call `next_events`, then `data_to_send`: a decision
may let commands go on that had to wait for it. Not here: time, sockets, what anybody decides.
Nothing a peer sends raises; `LocalProtocolError` is for the caller. RFC 2033, RFC 5321 §4.1, RFC 2920, RFC 2034.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, assert_never

from lmtp.protocol import events, reply
from lmtp.protocol.commands import Command, CommandParser, Data, Greet, Help, Mail, Noop, Quit, Rcpt, Rset, Vrfy
from lmtp.protocol.content import DotDecoder, Fault
from lmtp.protocol.dialect import LMTP, Dialect, Replies
from lmtp.protocol.envelope import Envelope, Recipient
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.extensions import EXTENSIONS
from lmtp.protocol.ledger import Ledger
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.lines import LineBuffer
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed, Outcome, Refusal, Verdict, reply_for
from lmtp.protocol.parameters import CommandError
from lmtp.protocol.phases import SERVER, Phase, Step
from lmtp.protocol.reply import Reply

_LOGGED_LINE_BYTES: Final = 200

_TOO_MANY_RECIPIENTS: Final = Deferred("4.5.3")
_TOO_BIG: Final = Failed("5.3.4")
_STRAY_LINE_END: Final = Failed("5.6.0", "Bare CR or LF in the message")
_NUL: Final = Failed("5.6.0", "NUL in the message")
_SHUTTING_DOWN: Final = Deferred("4.3.2")

# One reply for many outcomes: a client that is told 250 forgets the message, one told 4yz tries all again.
_WORST_FIRST: Final = (Deferred, Failed, Delivered)


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
        notify: Called when somebody settles a recipient: there may be events and octets to send.
    """

    def __init__(
        self,
        server_name: str,
        *,
        dialect: Dialect = LMTP,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        leniency: Leniency = Leniency.NONE,
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        self._server_name = server_name
        self._dialect = dialect
        self._limits = limits
        self._leniency = leniency
        self._notify = notify
        self._parser = CommandParser(dialect, limits, leniency)
        self._input = LineBuffer(limits.command_line_bytes)
        self._input_ended = False
        self._ledger = Ledger()
        self._events: list[events.Event] = []
        self._phase = Phase.CONNECTED
        self._held: _Line | None = None
        self._envelope: Envelope | None = None
        self._undecided: set[Recipient] = set()
        self._unsettled: set[Recipient] = set()
        self._decoder = DotDecoder()
        self._refusal: Refusal | None = None
        self._bad_commands = 0
        self._is_draining = False
        self._ledger.add(reply.greeting(server_name, dialect.name))

    # What an I/O layer calls.

    @property
    def phase(self) -> Phase:
        """
        Where the session is.
        """
        return self._phase

    @property
    def has_backlog(self) -> bool:
        """
        More than a command has come in that can't be acted on before somebody decides: stop reading for now.
        """
        is_waiting = self._held is not None or self._phase is Phase.REPLYING
        return is_waiting and len(self._input) > self._limits.command_line_bytes

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
        if self._phase is not Phase.REPLYING:
            return []
        return [recipient for recipient in self._open_envelope.recipients if not recipient.slot.is_released]

    def receive_data(self, octets: bytes | memoryview) -> None:
        """
        Take what came in; call `next_events` then.
        """
        if self._phase is not Phase.CLOSED:  # a peer that goes on talking must not fill the memory
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
        self._undecided.clear()
        self._held = None
        self._input.octets.clear()
        self._input_ended = True

    def next_events(self) -> list[events.Event]:
        """
        Act on what came in as far as possible and return what happened.
        """
        while self._advance():
            pass
        happened, self._events = self._events, []
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
        if recipient not in self._undecided:
            raise LocalProtocolError(f"{recipient} is not waiting for a verdict")
        if not isinstance(verdict, Verdict):
            raise LocalProtocolError(f"{verdict!r} is no verdict")
        answer = reply_for(verdict, str(recipient.forward_path))
        self._undecided.remove(recipient)
        recipient.verdict = verdict
        if isinstance(verdict, Accepted):
            self._phase = SERVER[self._phase, Step.RECIPIENT_ACCEPTED]
        self._ledger.fill(recipient.slot, answer)
        self._events.append(events.RecipientDecided(recipient, answer))

    def refuse_content(self, envelope: Envelope, refusal: Refusal) -> None:
        """
        Refuse a content for every recipient, also one that has just come to its end; the rest of it is thrown away.

        Nothing happens when the envelope's transaction is over.
        """
        if envelope is self._envelope:
            self._refusal = self._refusal or refusal
            self._abandon_all(refusal)

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
        if self._phase is Phase.CLOSED:
            return
        self._decide_all(_SHUTTING_DOWN)
        self._abandon_all(_SHUTTING_DOWN)
        self._abort(str(last_reply))
        self._ledger.add(last_reply)
        self._end(str(last_reply))

    def _decide_all(self, verdict: Refusal) -> None:
        for recipient in self._envelope.offered if self._undecided and self._envelope else ():
            if recipient in self._undecided:
                self.decide(recipient, verdict)

    # One step at a time.

    def _advance(self) -> bool:
        """
        Take one step; whether there may be another.
        """
        if self._phase is Phase.CONTENT:
            return self._advance_content()
        if self._phase is Phase.CLOSED or self._phase is Phase.REPLYING:
            return False
        line = self._held or self._next_line()
        if line is None:
            return self._advance_idle()
        self._held = line if self._must_wait(line.command) else None
        if self._held is None:
            self._obey_or_refuse(line)
        return self._held is None

    def _must_wait(self, command: Command | CommandError) -> bool:
        """
        While recipients are undecided only more recipients are looked at, and not more than a ledger may hold.
        """
        if not self._undecided:
            return False
        return not isinstance(command, Rcpt) or self._ledger.owed >= self._limits.recipients

    def _advance_idle(self) -> bool:
        """
        There is no whole command: nothing to do, unless there will never be one.
        """
        if self._undecided:
            return False
        if self._input_ended:
            self._abort("client left")
            self._end("client left")
        elif self._is_draining and self._envelope is None:
            self.close(reply.SHUTTING_DOWN)
        return False

    def _next_line(self) -> _Line | None:
        octets = self._input.next_line()
        if octets is None:
            return None
        if isinstance(octets, Reply):
            return _Line(b"", CommandError(octets))
        try:
            return _Line(octets, self._parser.parse(octets))
        except CommandError as error:
            return _Line(octets, error)

    def _obey_or_refuse(self, line: _Line) -> None:
        try:
            if isinstance(line.command, CommandError):
                raise line.command
            self._obey(line.command)
            self._bad_commands = 0
        except CommandError as error:
            self._events.append(events.CommandRefused(line.octets[:_LOGGED_LINE_BYTES], error.reply))
            self._refuse(error.reply)

    def _refuse(self, why: Reply) -> None:
        self._bad_commands += 1
        if self._bad_commands < self._limits.bad_commands:
            self._ledger.add(why)
        else:
            self.close(reply.TOO_MANY_ERRORS)  # RFC 5321 §7.8

    def _obey(self, command: Command) -> None:
        match command:
            case Rcpt():
                self._rcpt(command)
            case Mail():
                self._mail(command)
            case Data():
                self._data()
            case Greet():
                self._greet(command)
            case Rset():
                self._move(Step.RSET)
                self._abort("reset")
                self._ledger.add(reply.RESET_OK)
            case Noop():
                self._ledger.add(reply.NOOP_OK)
            case Vrfy():
                self._ledger.add(reply.CANNOT_VERIFY)
            case Help():
                self._ledger.add(reply.help_text([verb.decode("ascii") for verb in self._parser.verbs]))
            case Quit():
                self._abort("quit")
                self._ledger.add(reply.GOODBYE)
                self._end("quit")
            case _:
                assert_never(command)

    def _phase_after(self, step: Step) -> Phase:
        """
        Say where a step leads, or find that the command is out of place (RFC 5321 §4.1.4).
        """
        phase = SERVER.get((self._phase, step))
        if phase is None:
            raise CommandError(reply.BAD_SEQUENCE)
        return phase

    def _move(self, step: Step) -> None:
        self._phase = self._phase_after(step)

    def _greet(self, command: Greet) -> None:
        self._move(Step.GREET)
        self._abort("greeted again")
        lines = [extension.line(self._limits) for extension in EXTENSIONS]
        self._ledger.add(reply.extension_list(self._server_name, lines))
        self._events.append(events.ClientGreeted(command.client_name))

    def _mail(self, command: Mail) -> None:
        phase = self._phase_after(Step.MAIL)
        if self._is_draining:
            self.close(reply.SHUTTING_DOWN)
        elif (command.parameters.size_bytes or 0) > self._limits.message_bytes:  # RFC 1870 §6.1
            self._ledger.add(reply.TOO_BIG)
            self._events.append(events.TransactionRefused(command.reverse_path, reply.TOO_BIG))
        else:
            self._phase = phase
            self._envelope = Envelope(command.reverse_path, command.parameters)
            self._events.append(events.TransactionOpened(self._envelope))
            self._ledger.add(reply.SENDER_OK)

    def _rcpt(self, command: Rcpt) -> None:
        self._move(Step.RCPT)
        envelope = self._open_envelope
        recipient = Recipient(command.forward_path, self._ledger.open(), self._settle)
        if len(envelope.offered) >= self._limits.recipients:  # RFC 5321 §4.5.3.1.10
            recipient.verdict = _TOO_MANY_RECIPIENTS
            self._ledger.fill(recipient.slot, reply.TOO_MANY_RECIPIENTS)
            self._events.append(events.RecipientDecided(recipient, reply.TOO_MANY_RECIPIENTS))
            return
        envelope.offered.append(recipient)
        self._undecided.add(recipient)
        self._events.append(events.RecipientOffered(recipient))

    def _data(self) -> None:
        if self._phase is Phase.MAIL:
            raise CommandError(reply.no_recipients(self._dialect.no_recipients_code))
        self._move(Step.DATA)
        self._decoder = DotDecoder()
        self._refusal = None
        self._ledger.add(reply.START_CONTENT)
        self._events.append(events.ContentStarted(self._open_envelope))

    @property
    def _open_envelope(self) -> Envelope:
        assert self._envelope is not None, "the phases MAIL to REPLYING have an envelope"  # noqa: S101
        return self._envelope

    # The content and its replies.

    def _advance_content(self) -> bool:
        decoded, has_ended = self._decoder.decode(self._input.octets)
        self._receive_content(decoded)
        if has_ended:
            self._end_content()
            return True
        if self._input_ended:
            self._abort("client left")
            self._end("client left")
        return False

    def _receive_content(self, octets: bytes) -> None:
        envelope = self._open_envelope
        envelope.size_bytes += len(octets)
        if octets and self._refusal is None and self._complaint() is None:
            self._events.append(events.ContentReceived(octets))

    def _complaint(self) -> Failed | None:
        """
        What is wrong with the content so far.
        """
        if self._open_envelope.size_bytes > self._limits.message_bytes:
            return _TOO_BIG
        faults = self._decoder.faults
        if Fault.STRAY_LINE_END in faults and Leniency.STRAY_LINE_ENDS not in self._leniency:
            return _STRAY_LINE_END
        if Fault.NUL in faults and Leniency.NUL not in self._leniency:
            return _NUL
        return None

    def _end_content(self) -> None:
        envelope = self._open_envelope
        self._move(Step.END_OF_CONTENT)
        shared = self._ledger.open() if self._dialect.replies is Replies.PER_MESSAGE else None
        for recipient in envelope.recipients:
            recipient.slot = shared or self._ledger.open()
            self._unsettled.add(recipient)
        refusal = self._complaint() or self._refusal
        if refusal is None:
            self._events.append(events.ContentCompleted(envelope))
        else:
            self._events.append(events.ContentRefused(envelope, refusal))
            self._abandon_all(refusal)

    def _abandon_all(self, refusal: Refusal) -> None:
        """
        Answer what concerns the whole message once for each accepted recipient (RFC 2033 §4.2).
        """
        for recipient in self._envelope.recipients if self._unsettled and self._envelope else ():
            if recipient in self._unsettled:
                recipient.abandon(refusal)

    def _settle(self, recipient: Recipient, outcome: Outcome) -> None:
        if recipient not in self._unsettled:
            raise LocalProtocolError(f"{recipient} is not waiting for an outcome")
        if not isinstance(outcome, Outcome):
            raise LocalProtocolError(f"{outcome!r} is no outcome")
        self._unsettled.remove(recipient)
        recipient.outcome = outcome
        if self._dialect.replies is Replies.PER_RECIPIENT:
            self._answer(recipient, reply_for(outcome, str(recipient.forward_path)))
        if not self._unsettled:
            self._end_transaction(self._open_envelope)
        self._notify()

    def _answer(self, recipient: Recipient, answer: Reply) -> None:
        self._ledger.fill(recipient.slot, answer)
        self._events.append(events.RecipientSettled(recipient, answer))

    def _end_transaction(self, envelope: Envelope) -> None:
        self._envelope = None
        self._move(Step.LAST_REPLY)
        if self._dialect.replies is Replies.PER_MESSAGE:
            outcomes = [recipient.outcome for recipient in envelope.recipients if recipient.outcome]
            answer = reply_for(min(outcomes, key=lambda outcome: _WORST_FIRST.index(type(outcome))))
            for recipient in envelope.recipients:
                self._answer(recipient, answer)
        self._events.append(events.TransactionAnswered(envelope))

    # The end.

    def _abort(self, reason: str) -> None:
        if self._envelope is not None:
            self._events.append(events.TransactionAborted(self._envelope, reason))
            self._envelope = None

    def _end(self, reason: str) -> None:
        self._move(Step.CLOSE)
        self._held = None
        self._events.append(events.SessionEnded(reason))
