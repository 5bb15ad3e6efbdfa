# SPDX-License-Identifier: Apache-2.0
"""
The transactions of a session: recipients and their verdicts, the content by DATA or BDAT, a reply for each recipient.

A part of server.py, which reads the commands and says which may come. Raises `CommandError` for the client's faults and
`LocalProtocolError` for the caller's. RFC 2033 §4.2, §4.3; RFC 5321 §3.3; RFC 3030 §2.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from lmtp.protocol import events, reply
from lmtp.protocol.commands import Bdat, Mail, Rcpt
from lmtp.protocol.dialect import Dialect, Replies
from lmtp.protocol.envelope import Envelope, Recipient
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.intake import Intake
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed, Outcome, Refusal, Verdict, reply_for
from lmtp.protocol.parameters import Body, CommandError
from lmtp.protocol.phases import Phase, Step
from lmtp.protocol.reply import Reply
from lmtp.protocol.state import SessionState

_TOO_MANY_RECIPIENTS: Final = Deferred("4.5.3")

# One reply for many outcomes: a client that is told 250 forgets the message, one told 4yz tries all again.
_WORST_FIRST: Final = (Deferred, Failed, Delivered)


class _Discarding(NamedTuple):
    """
    A chunk that was refused and has to be read all the same (RFC 3030 §2).
    """

    octets_left: int
    then: Callable[[], None]


class Transactions:
    """
    One transaction after the other.

    Args:
        state: What is shared with the rest of the engine.
        dialect: LMTP or SMTP.
        limits: How much the peer may ask of us.
        leniency: Which departures from the grammar are let pass.
        refuse: How a command is refused that can't be refused at once.
        notify: Called when somebody settles a recipient.
    """

    def __init__(
        self,
        state: SessionState,
        *,
        dialect: Dialect,
        limits: Limits,
        leniency: Leniency,
        refuse: Callable[[Reply], None],
        notify: Callable[[], None],
    ) -> None:
        self._state = state
        self._ledger = state.ledger
        self._dialect = dialect
        self._limits = limits
        self._leniency = leniency
        self._refuse = refuse
        self._notify = notify
        self._envelope: Envelope | None = None
        self._intake: Intake | None = None
        self._discarding: _Discarding | None = None
        self._undecided: set[Recipient] = set()
        self._unsettled: set[Recipient] = set()

    @property
    def is_open(self) -> bool:
        """
        A transaction has begun and is not over.
        """
        return self._envelope is not None

    @property
    def has_undecided(self) -> bool:
        """
        Recipients wait for a verdict.
        """
        return bool(self._undecided)

    @property
    def is_discarding(self) -> bool:
        """
        What comes in is a chunk that was refused.
        """
        return self._discarding is not None

    @property
    def unanswered(self) -> list[Recipient]:
        """
        The accepted recipients of a complete content whose replies can't be sent yet.
        """
        if self._state.phase is not Phase.REPLYING:
            return []
        return [recipient for recipient in self._open_envelope.recipients if not recipient.slot.is_released]

    def forget_verdicts(self) -> None:
        """
        Wait for no verdict any more: nobody is there to hear it.
        """
        self._undecided.clear()

    def end(self, reason: str) -> None:
        """
        End the transaction before its content is complete, if there is one.
        """
        self._discarding = None
        if self._envelope is not None:
            self._state.events.append(events.TransactionAborted(self._envelope, reason))
            self._forget()

    # Verdicts and outcomes, from whoever is behind the server.

    def decide(self, recipient: Recipient, verdict: Verdict) -> None:
        """
        Answer an RCPT.

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
            self._state.move(Step.RECIPIENT_ACCEPTED)
        self._ledger.fill(recipient.slot, answer)
        self._state.events.append(events.RecipientDecided(recipient, answer))

    def decide_all(self, verdict: Refusal) -> None:
        """
        Give all recipients that wait for a verdict the same.
        """
        for recipient in self._envelope.offered if self._envelope else ():
            if recipient in self._undecided:
                self.decide(recipient, verdict)

    def refuse_content(self, envelope: Envelope, refusal: Refusal) -> None:
        """
        Refuse a content for every recipient; nothing happens when the envelope's transaction is over.
        """
        if envelope is self._envelope and self._intake is not None:
            self._intake.refuse(refusal)
            self.abandon_all(refusal)

    def abandon_all(self, refusal: Refusal) -> None:
        """
        Answer what concerns the whole message once for each accepted recipient (RFC 2033 §4.2).
        """
        for recipient in self._envelope.recipients if self._envelope else ():
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
        self._state.events.append(events.RecipientSettled(recipient, answer))

    def _end_transaction(self, envelope: Envelope) -> None:
        self._forget()
        self._state.move(Step.LAST_REPLY)
        if self._dialect.replies is Replies.PER_MESSAGE:
            outcomes = [recipient.outcome for recipient in envelope.recipients if recipient.outcome]
            answer = reply_for(min(outcomes, key=lambda outcome: _WORST_FIRST.index(type(outcome))))
            for recipient in envelope.recipients:
                self._answer(recipient, answer)
        self._state.events.append(events.TransactionAnswered(envelope))

    # Commands.

    def mail(self, command: Mail) -> None:
        """
        Open a transaction.
        """
        phase = self._state.phase_after(Step.MAIL)
        if (command.parameters.size_bytes or 0) > self._limits.message_bytes:  # RFC 1870 §6.1
            self._ledger.add(reply.TOO_BIG)
            self._state.events.append(events.TransactionRefused(command.reverse_path, reply.TOO_BIG))
            return
        self._state.phase = phase
        self._envelope = Envelope(command.reverse_path, command.parameters)
        self._state.events.append(events.TransactionOpened(self._envelope))
        self._ledger.add(reply.SENDER_OK)

    def rcpt(self, command: Rcpt) -> None:
        """
        Offer a recipient.
        """
        self._state.move(Step.RCPT)
        envelope = self._open_envelope
        if not (command.forward_path.mailbox.is_ascii or envelope.parameters.is_internationalized):
            raise CommandError(reply.NON_ASCII_RECIPIENT)
        recipient = Recipient(command.forward_path, self._ledger.open(), self._settle, command.parameters)
        if len(envelope.offered) >= self._limits.recipients:  # RFC 5321 §4.5.3.1.10
            recipient.verdict = _TOO_MANY_RECIPIENTS
            self._ledger.fill(recipient.slot, reply.TOO_MANY_RECIPIENTS)
            self._state.events.append(events.RecipientDecided(recipient, reply.TOO_MANY_RECIPIENTS))
            return
        envelope.offered.append(recipient)
        self._undecided.add(recipient)
        self._state.events.append(events.RecipientOffered(recipient))

    @property
    def _open_envelope(self) -> Envelope:
        assert self._envelope is not None, "the phases MAIL to REPLYING have an envelope"  # noqa: S101
        return self._envelope

    def data(self) -> None:
        """
        Let the content come in lines.
        """
        if self._state.phase is Phase.MAIL:
            raise CommandError(reply.no_recipients(self._dialect.no_recipients_code))
        phase = self._state.phase_after(Step.DATA)
        if self._open_envelope.parameters.body is Body.BINARY:
            raise CommandError(reply.BINARY_NEEDS_CHUNKS)  # RFC 3030 §3
        self._state.phase = phase
        self._start_content()
        self._ledger.add(reply.START_CONTENT)

    def _start_content(self) -> Intake:
        envelope = self._open_envelope
        self._intake = Intake(envelope, self._limits, self._leniency)
        self._state.events.append(events.ContentStarted(envelope))
        return self._intake

    def bdat(self, command: Bdat) -> None:
        """
        Take a chunk, or its octets at least: what is refused has to be read too (RFC 3030 §2, RFC 2033 §4.3).
        """
        if self._state.phase is Phase.RCPT or self._state.phase is Phase.CHUNKS:
            intake = self._intake or self._start_content()
            if intake.has_room_for(command.size_bytes):
                self._state.move(Step.BDAT)
                intake.begin_chunk(command.size_bytes, is_last=command.is_last)
                return
            intake.refuse_size()
            self._discard_chunk(command, self._complete if command.is_last else self._refuse_chunk)
        elif self._state.phase is Phase.BROKEN:
            # No bad command: whoever does not wait for replies had sent it before the refusal came.
            self._discard_chunk(command, self._complete if command.is_last else self._refuse_further_chunk)
        elif self._state.phase is Phase.MAIL and command.is_last and self._dialect.replies is Replies.PER_RECIPIENT:
            # A reply for each accepted recipient, and there is none: silence (RFC 2033 §4.3).
            self._discard_chunk(command, self._end_without_recipients)
        else:
            self._discard_chunk(command, lambda: self._refuse(reply.CHUNK_OUT_OF_PLACE))

    def _discard_chunk(self, command: Bdat, then: Callable[[], None]) -> None:
        self._discarding = _Discarding(command.size_bytes, then)

    def discard(self) -> bool:
        """
        Throw away what has come in of a refused chunk, and answer it in the end; whether that was reached.
        """
        assert self._discarding is not None, "the caller has asked"  # noqa: S101
        octets_left, then = self._discarding
        received = self._state.input.octets
        length = min(len(received), octets_left)
        del received[:length]
        octets_left -= length
        self._discarding = _Discarding(octets_left, then) if octets_left else None
        if not octets_left:
            then()
        return not octets_left

    def _refuse_chunk(self) -> None:
        intake = self._open_intake
        refusal = intake.refusal
        assert refusal is not None, "it is refused for a reason"  # noqa: S101
        self._state.move(Step.CHUNK_REFUSED)
        intake.break_off()
        self._ledger.add(reply_for(refusal))

    def _refuse_further_chunk(self) -> None:
        self._ledger.add(reply.CHUNK_OUT_OF_PLACE)

    def _end_without_recipients(self) -> None:
        self._state.move(Step.RSET)
        self.end("no recipients")

    @property
    def _open_intake(self) -> Intake:
        assert self._intake is not None, "a content has been started"  # noqa: S101
        return self._intake

    def take_content(self) -> bool:
        """
        Take what has come in of the content; whether there is more to do.
        """
        intake = self._open_intake
        octets, has_ended = intake.take(self._state.input.octets)
        if octets:
            self._state.events.append(events.ContentReceived(octets))
        if has_ended:
            return self._end_part(intake)
        return False

    def _end_part(self, intake: Intake) -> bool:
        if not intake.is_last:
            return self._end_chunk(intake)
        self._complete()
        return True

    def _end_chunk(self, intake: Intake) -> bool:
        """
        Answer a chunk, once those who keep the octets have had them: they may not be able to.
        """
        if self._state.events:
            return False
        if intake.refusal:
            self._refuse_chunk()
        else:
            self._state.move(Step.END_OF_CHUNK)
            self._ledger.add(reply.chunk_ok(intake.chunk_bytes))
        return True

    def _complete(self) -> None:
        """
        Owe each accepted recipient a reply (RFC 2033 §4.2).
        """
        envelope = self._open_envelope
        self._state.move(Step.END_OF_CONTENT)
        shared = self._ledger.open() if self._dialect.replies is Replies.PER_MESSAGE else None
        for recipient in envelope.recipients:
            recipient.slot = shared or self._ledger.open()
            self._unsettled.add(recipient)
        refusal = self._open_intake.refusal
        if refusal is None:
            self._state.events.append(events.ContentCompleted(envelope))
        else:
            self._state.events.append(events.ContentRefused(envelope, refusal))
            self.abandon_all(refusal)

    def _forget(self) -> None:
        self._envelope = None
        self._intake = None
