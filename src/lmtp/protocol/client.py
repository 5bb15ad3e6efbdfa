# SPDX-License-Identifier: Apache-2.0
"""
The client's half of a session: commands are queued, replies come in, results come out.

    connection = ClientConnection("mx.example.org")
    events = connection.receive_data(octets)    # first the greeting
    connection.greet()                          # then LHLO, and begin(...), send_content(...)
    transport.write(connection.data_to_send())

Every command that is sent owes replies; they are matched by counting, and by nothing else. Whatever breaks the count
ends the session: those who have a result keep it, all others are deferred, and the connection is never used again.
Not here: clocks, sockets, what is sent when. Its caller's mistakes raise LocalProtocolError, its peer's raise nothing.
RFC 2033 §4 and §5, RFC 5321 §3 and §4, RFC 2920 §3.1, RFC 3030 §2.
"""

import enum
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from lmtp.protocol import requests
from lmtp.protocol.client_events import ClientEvent, ContentWanted, ReplyReceived, SessionLost
from lmtp.protocol.client_plan import Owed, Plan
from lmtp.protocol.client_transaction import ClientTransaction
from lmtp.protocol.dialect import LMTP, Dialect
from lmtp.protocol.errors import LocalProtocolError, RemoteProtocolError
from lmtp.protocol.offered import Offered
from lmtp.protocol.outcome import Refusal
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import Body
from lmtp.protocol.replies import ReplyParser
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, lost, may_answer
from lmtp.protocol.stuffing import DotStuffing, LineEnds

USED: Final = frozenset({"PIPELINING", "CHUNKING"})
"""What a client makes use of by itself where it is offered; all else it uses when the envelope asks for it."""

# Nothing may be said behind these before they are answered: the answer decides what there is to be said.
_ASKING: Final = frozenset({Point.LHLO, Point.STARTTLS, Point.AUTH, Point.XCLIENT})


class _Phase(enum.Enum):
    """
    What may be said.
    """

    OPEN = "anything may be said"
    ASKED = "nothing may be said before the answer has come"
    CHALLENGED = "only a response to the challenge may be said"
    SECURING = "nothing may be said before TLS has begun"
    REFUSED = "the server has refused us: only QUIT may be said"
    QUITTING = "nothing may be said after QUIT"
    CLOSING = "nothing may be said after 421; the other replies to a content may still come"
    OVER = "the session is over"


class ClientConnection:
    """
    The client's half of one session.

    Args:
        client_name: Who we say we are: a domain or an address literal (RFC 5321 §4.1.4).
        dialect: LMTP or SMTP.
        uses: Which of `USED` may be used.
    """

    def __init__(self, client_name: str, *, dialect: Dialect = LMTP, uses: frozenset[str] = USED) -> None:
        self.dialect = dialect
        """Which protocol is spoken."""
        self.offered = Offered()
        """What the server offers, as of its last answer to LHLO."""
        self.has_greeted = False
        """LHLO was answered positively, and nothing has made it void since."""
        self._client_name = client_name
        self._uses = uses
        self._phase = _Phase.OPEN
        self._is_plain = False
        self._last_words = ""
        self._parser = ReplyParser()
        self._plan = Plan()
        self._current: ClientTransaction | None = None
        self._line_ends = LineEnds()
        self._stuffing = DotStuffing()
        self._last_chunk: bytes | None = None
        self._events: list[ClientEvent] = []

    def receive_data(self, octets: bytes) -> list[ClientEvent]:
        """
        Take what came in; afterwards send `data_to_send`.
        """
        if self.is_over:  # a peer that goes on talking must not fill the memory
            return []
        self._parser.feed(octets)
        try:
            while (reply := self._parser.next_reply()) is not None:
                self._take(reply)
        except RemoteProtocolError as error:
            self._lose(str(error), is_fault=True)
        if not self._plan.owed and (beginning := self._parser.beginning):
            is_farewell = b"421".startswith(beginning)  # the rest of which is still to come (RFC 5321 §3.8)
            self._lose("the server spoke unasked", is_fault=not is_farewell)
        self._plan.proceed()
        return self._take_events()

    def receive_eof(self) -> list[ClientEvent]:
        """
        Note that the connection has ended.
        """
        return self.give_up("the connection was closed")

    def give_up(self, why: str, *, is_fault: bool = False) -> list[ClientEvent]:
        """
        End the session because nothing more will come, or can be sent: all that is undecided is deferred.

        Args:
            why: What happened, for the log.
            is_fault: The server is to blame.
        """
        self._lose(why, is_fault=is_fault)
        return self._take_events()

    def data_to_send(self) -> bytes:
        """
        Return what is to be sent now, once.
        """
        return self._plan.take_octets()

    @property
    def is_over(self) -> bool:
        """
        Nothing more can be said or heard.
        """
        return self._phase is _Phase.OVER

    @property
    def is_ending(self) -> bool:
        """
        The server has refused us or said 421, or we QUIT: what is owed may come, nothing new may be begun.
        """
        return self._phase in {_Phase.REFUSED, _Phase.QUITTING, _Phase.CLOSING}

    @property
    def awaits(self) -> Point | None:
        """
        What the next reply will answer; None when none is owed. How long to wait for it depends on this.
        """
        return self._plan.awaits

    @property
    def can_begin(self) -> bool:
        """
        A transaction may be begun: there is a session, and no content is waited for or under way.
        """
        is_free = self._current is None or self._current.is_past_content
        return self.has_greeted and self._phase is _Phase.OPEN and is_free

    @property
    def is_idle(self) -> bool:
        """
        Nothing is under way, and all replies have come.
        """
        return self.can_begin and self._plan.is_idle

    # Commands of the session. They wait for the content of a transaction that is under way.

    def greet(self, *, is_plain: bool = False) -> None:
        """
        Send LHLO or EHLO.

        Args:
            is_plain: HELO, for an SMTP server that knows no extensions (RFC 5321 §3.2).

        Raises:
            LocalProtocolError: not now, or LMTP has no such command (RFC 2033 §4.1).
        """
        verb = "HELO" if is_plain else self.dialect.greeting_verb
        if verb in self.dialect.refused_verbs:
            raise LocalProtocolError(f"{self.dialect.name} has no {verb}")
        self._say(Point.LHLO, requests.greet(verb, self._client_name))
        self._is_plain = is_plain

    def start_tls(self) -> None:
        """
        Send STARTTLS; when 220 comes, do the handshake and call `tls_started` (RFC 3207 §4).
        """
        self._say(Point.STARTTLS, b"STARTTLS\r\n")

    def tls_started(self) -> None:
        """
        Forget what the server said in clear; `greet` again (RFC 3207 §4.2).

        Raises:
            LocalProtocolError: the server has not agreed to STARTTLS.
        """
        if self._phase is not _Phase.SECURING:
            raise LocalProtocolError("there was no STARTTLS")
        self._phase = _Phase.OPEN
        self._forget_offer()

    def authenticate(self, mechanism: str, response: bytes | None = None) -> None:
        """
        Send AUTH (RFC 4954 §4).

        Args:
            mechanism: The SASL mechanism.
            response: The initial response; None: there is none.

        Raises:
            LocalProtocolError: not now, or the response is too long: `respond` with it to an empty challenge.
        """
        self._say(Point.AUTH, requests.auth(mechanism, response))

    def respond(self, response: bytes | None) -> None:
        """
        Answer a challenge; None gives the exchange up (RFC 4954 §4).

        Raises:
            LocalProtocolError: there is no challenge.
        """
        if self._phase is not _Phase.CHALLENGED:
            raise LocalProtocolError("there is no challenge")
        self._phase = _Phase.OPEN
        self._say(Point.AUTH, (b"*" if response is None else b64encode(response)) + b"\r\n")

    def replace_client(self, attributes: Mapping[str, str | None]) -> int:
        """
        Send XCLIENT for the client we speak for; after its last 220, `greet` again.

        Returns:
            How many commands that took; none when the server lists none of the attributes.
        """
        return self._say_attributes(Point.XCLIENT, "XCLIENT", attributes)

    def forward(self, attributes: Mapping[str, str | None]) -> int:
        """
        Send XFORWARD: where the next message comes from.

        Returns:
            How many commands that took; none when the server lists none of the attributes.
        """
        return self._say_attributes(Point.XFORWARD, "XFORWARD", attributes)

    def noop(self) -> None:
        """
        Send NOOP.
        """
        self._say(Point.NOOP, b"NOOP\r\n")

    def verify(self, text: str) -> None:
        """
        Send VRFY (RFC 5321 §3.5.1).

        Raises:
            LocalProtocolError: not now, or it is not ASCII and the server does not offer SMTPUTF8.
        """
        self._say(Point.VRFY, requests.verify(text, self.offered))

    def reset(self) -> None:
        """
        Send RSET.
        """
        self._say(Point.RSET, b"RSET\r\n")

    def quit(self) -> None:
        """
        Send QUIT behind all that is under way; whatever is answered, the session is over then.
        """
        self._say(Point.QUIT, b"QUIT\r\n")
        self._phase = _Phase.QUITTING

    def _say_attributes(self, point: Point, verb: str, attributes: Mapping[str, str | None]) -> int:
        lines = list(requests.attributes(verb, attributes, self.offered.keywords.get(verb, ())))
        if lines:
            self._say(point, *lines)
        return len(lines)

    def _say(self, point: Point, *lines: bytes) -> None:
        if self._phase is not _Phase.OPEN and not (self._phase is _Phase.REFUSED and point is Point.QUIT):
            raise LocalProtocolError(self._phase.value)
        if point in _ASKING:
            self._phase = _Phase.ASKED
        for line in lines:
            self._plan.add(line, Owed(point))
        self._plan.proceed()

    def _forget_offer(self) -> None:
        self._note_offer(Offered())
        self.has_greeted = False

    def _note_offer(self, offered: Offered) -> None:
        self.has_greeted, self.offered = True, offered
        self._parser.reads_status = "ENHANCEDSTATUSCODES" in offered
        self._plan.pipelines = "PIPELINING" in offered and "PIPELINING" in self._uses

    # Transactions

    def begin(self, envelope: OutgoingEnvelope, size_bytes: int | None = None) -> ClientTransaction:
        """
        Begin a transaction: MAIL, RCPT for each recipient and DATA are queued, together where that is allowed.

        Recipients whom this server can't be asked for have their results at once, and no event tells of them; when
        that is all, nothing is sent.

        Args:
            envelope: Whom the message is from and for.
            size_bytes: The size of the content with CRLFs; None: not known.

        Raises:
            LocalProtocolError: not now (`can_begin`), or something in the envelope would be no line.
        """
        if not self.can_begin:
            raise LocalProtocolError("no transaction can be begun now")
        transaction = ClientTransaction(envelope, self.dialect.replies, self._events.append)
        self._refuse_impossible(transaction, size_bytes)
        if not transaction.is_over:
            self._queue_commands(transaction, size_bytes)
        return transaction

    def _refuse_impossible(self, transaction: ClientTransaction, size_bytes: int | None) -> None:
        envelope = transaction.envelope
        for_all = requests.obstacle(envelope, size_bytes, self.offered)
        for index, rcpt in enumerate(envelope.recipients):
            if (outcome := for_all or requests.recipient_obstacle(rcpt, self.offered)) is not None:
                transaction.decide(index, outcome)

    def _queue_commands(self, transaction: ClientTransaction, size_bytes: int | None) -> None:
        asked = transaction.undecided
        envelope = transaction.envelope.only(asked)
        mail = requests.mail(envelope, size_bytes, self.offered)
        rcpts = [requests.rcpt(recipient, self.offered) for recipient in envelope.recipients]
        if self._current is not None:
            self._reset_at_server(self._current)
        self._current = transaction
        self._plan.add(mail, Owed(Point.MAIL, transaction))
        for index, rcpt in zip(asked, rcpts, strict=True):
            self._plan.add(rcpt, Owed(Point.RCPT, transaction, index))
        transaction.rcpts_owed = len(asked)
        needs_chunks = "CHUNKING" in self._uses or envelope.parameters.body is Body.BINARY
        transaction.uses_chunks = needs_chunks and "CHUNKING" in self.offered
        if not transaction.uses_chunks:
            self._plan.add(b"DATA\r\n", Owed(Point.DATA, transaction))
        self._plan.wait_for_content(transaction)
        self._line_ends, self._stuffing, self._last_chunk = LineEnds(), DotStuffing(), None
        self._plan.proceed()

    def _reset_at_server(self, transaction: ClientTransaction) -> None:
        """
        End at the server what has come to nothing here (RFC 5321 §4.1.4: no MAIL while a transaction is open).
        """
        if transaction.is_open_at_server:
            transaction.is_open_at_server = False
            self._plan.add(b"RSET\r\n", Owed(Point.RSET, transaction))

    def send_content(self, octets: bytes, *, is_last: bool) -> None:
        """
        Send a piece of the content, after `ContentWanted` and until the transaction is over.

        Line ends become CRLF (unless it is BINARYMIME) and dots are doubled here. Where the content goes in chunks each
        piece that has octets is one; the last leaves when all others have been answered, for what a refusal of both
        would mean is not known (RFC 3030 §2).

        Args:
            octets: The piece, of any size.
            is_last: The content is complete with it.

        Raises:
            LocalProtocolError: no content is wanted, or not such: the server does not offer 8BITMIME (RFC 6152 §3).
        """
        transaction = self._current
        if transaction is None or not transaction.takes_content or self._last_chunk is not None:
            raise LocalProtocolError("no content is wanted")
        if transaction.envelope.parameters.body is not Body.BINARY:
            if "8BITMIME" not in self.offered and not octets.isascii():
                raise LocalProtocolError("octets above 127 for a server without 8BITMIME")
            octets = self._line_ends.encode(octets) + (self._line_ends.finish() if is_last else b"")
        if transaction.uses_chunks:
            self._send_chunk(transaction, octets, is_last=is_last)
        else:
            self._plan.write(self._stuffing.encode(octets))
            if is_last:
                self._plan.write(self._stuffing.finish())
                self._finish_content(transaction)

    def _send_chunk(self, transaction: ClientTransaction, octets: bytes, *, is_last: bool) -> None:
        if is_last and transaction.chunks_owed:
            self._last_chunk = octets
        elif is_last:
            self._plan.write(requests.chunk(len(octets), is_last=True) + octets)
            self._finish_content(transaction)
        elif octets:
            self._plan.write(requests.chunk(len(octets), is_last=False) + octets)
            self._plan.owed.append(Owed(Point.CHUNK, transaction))
            transaction.chunks_owed += 1

    def _finish_content(self, transaction: ClientTransaction) -> None:
        transaction.content_is_sent = True
        transaction.is_open_at_server = False
        self._plan.owe_content(transaction)
        self._plan.proceed()

    def abandon(self, outcome: Refusal, why: str) -> list[ClientEvent]:
        """
        End the session because the rest of the content can't be had or sent; the server must not take a part for all.

        Args:
            outcome: What becomes of the recipients that have no result; when all of the content was sent, and the
                server may have taken it, they are deferred.
            why: What happened, for the log.
        """
        if self._current is not None and not self._current.is_past_content:
            self._current.give_up(outcome, Point.CLIENT)
        return self.give_up(why)

    # Replies

    def _take(self, reply: Reply) -> None:
        if not self._plan.owed:
            self._lose(f"the server said unasked: {reply}", is_fault=reply.code != 421)
            return
        point, transaction, number = self._plan.owed[0]
        if not may_answer(reply, point):
            raise RemoteProtocolError(f"{point.value} can't be {reply}")
        self._plan.owed.popleft()
        if transaction is None:
            self._take_session_reply(point, reply)
        else:
            self._take_transaction_reply(point, transaction, number, reply)
        if reply.code == 421 and not self.is_over:
            self._phase, self._last_words = _Phase.CLOSING, str(reply)
        if self._phase is _Phase.CLOSING and self.awaits is not Point.CONTENT:  # other recipients' replies may come
            self._lose(f"the server ended the session: {self._last_words}")

    def _take_transaction_reply(self, point: Point, transaction: ClientTransaction, number: int, reply: Reply) -> None:
        if point is Point.RSET:
            self._check_reset(reply)
            return
        transaction.take(point, number, reply)
        if point is Point.CHUNK:
            self._go_on_after_chunk(transaction)
        elif point is Point.DATA and reply.code < 400 and transaction.is_over:
            # Nobody is to get it: an empty message to nobody, and who knows how many replies (RFC 2920 §3.1).
            self._plan.write(self._stuffing.finish())
            raise RemoteProtocolError("the server wants a content for no recipients")

    def _go_on_after_chunk(self, transaction: ClientTransaction) -> None:
        if transaction.is_over:
            self._reset_at_server(transaction)  # before anything else is said (RFC 3030 §2)
        elif self._last_chunk is not None and not transaction.chunks_owed:
            self._send_chunk(transaction, self._last_chunk, is_last=True)

    def _take_session_reply(self, point: Point, reply: Reply) -> None:
        if self._phase is _Phase.ASKED and self._plan.is_idle:
            self._phase = _Phase.OPEN
        match point:
            case Point.GREETING if not reply.is_positive:
                self._phase = _Phase.REFUSED
                self._plan.forget_waiting()
            case Point.LHLO if reply.is_positive:
                self._note_offer(Offered.read(reply, is_plain=self._is_plain))
            case Point.XCLIENT if reply.is_positive:
                self._forget_offer()
            case Point.AUTH if reply.code < 400 and not reply.is_positive:
                self._phase = _Phase.CHALLENGED
            case Point.STARTTLS if reply.is_positive:
                self._await_tls()
        self._events.append(ReplyReceived(point, reply))
        if point is Point.RSET:
            self._check_reset(reply)
        elif point is Point.QUIT:
            self._lose("we ended the session")

    def _await_tls(self) -> None:
        if self._parser.beginning:  # somebody on the way wants it read as if it had come inside of TLS (RFC 3207 §6)
            raise RemoteProtocolError("the server said more in clear after it was ready for TLS")
        self._phase = _Phase.SECURING

    def _check_reset(self, reply: Reply) -> None:
        if not reply.is_positive:
            self._lose(f"the answer to RSET was {reply}")

    def _lose(self, why: str, *, is_fault: bool = False) -> None:
        if self.is_over:
            return
        self._phase = _Phase.OVER
        # Who acts on events one after the other must not be asked for a content nobody takes any more.
        self._events[:] = [event for event in self._events if not isinstance(event, ContentWanted)]
        under_way = self._plan.transactions
        told = [transaction.progress_until(why) for transaction in under_way]
        for transaction, its_why in zip(under_way, told, strict=True):
            transaction.give_up(lost(its_why), self._plan.point_of(transaction))
        self._plan.end()
        self._parser = ReplyParser()  # what else was said is not read
        self._events.append(SessionLost(told[0] if told else why, is_fault))

    def _take_events(self) -> list[ClientEvent]:
        events, self._events[:] = self._events[:], []
        return events
