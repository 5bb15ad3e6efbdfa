# SPDX-License-Identifier: Apache-2.0
"""
The client's engine, for any octets of a server: never an exception, one result for each recipient, memory bounded.

`check` takes what a fuzzer makes up: its first octets choose what the client wants and how the rest, which is what the
server says, is cut. Besides, replies are the same whatever the chunking, and nobody is delivered to without a 2yz reply
of its own. Raises AssertionError when the invariant is broken. Called by run.py, and by the tests.
"""

import random
from collections.abc import Iterable, Iterator
from itertools import product
from typing import TYPE_CHECKING, Final

from lmtp.protocol.client import USED, ClientConnection
from lmtp.protocol.client_events import ClientEvent, ContentWanted, RecipientResolved, ReplyReceived, SessionLost
from lmtp.protocol.dialect import LMTP, SMTP
from lmtp.protocol.errors import RemoteProtocolError
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.replies import MAX_LINES, ReplyParser
from lmtp.protocol.reply import MAX_CHALLENGE_LINE, Reply
from lmtp.protocol.results import Point

if TYPE_CHECKING:
    from lmtp.protocol.client_transaction import ClientTransaction

DICTIONARY: Final = "replies.dict"
"""What servers say."""
LONGEST: Final = 2048
"""Longer inputs say little more and slow the fuzzer down."""
HEAD: Final = 4
"""Octets that are settings."""

_MOST_TRANSACTIONS: Final = 4
_CONTENT: Final = (b".\r\ntext\r", b"\n..", b"\n")
_SAID: Final = {"NAME": "mx.example", "HELO": "h" * 255, "ADDR": "192.0.2.7"}
_OK: Final = b"250 2.0.0 ok\r\n"
_LHLO: Final = b"250-s\r\n250-%b\r\n250-SMTPUTF8\r\n250-XFORWARD NAME HELO ADDR\r\n250 ENHANCEDSTATUSCODES\r\n"
_OPENING: Final = b"220 s\r\n" + _LHLO


def check(octets: bytes) -> None:
    """
    Let a client hear octets in pieces, and then the end of the connection.
    """
    head, stream = octets[:HEAD].ljust(HEAD, b"\0"), octets[HEAD:]
    assert _read([stream]) == _read(_random_pieces(stream, head[3])), stream
    session = _Session(head)
    for piece in _pieces(stream, head):
        session.hear(piece)
    session.end()


def _read(pieces: Iterable[bytes]) -> list[Reply | str]:
    parser = ReplyParser()
    parser.reads_status = True
    replies: list[Reply | str] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            while (reply := parser.next_reply()) is not None:
                replies.append(reply)
    except RemoteProtocolError as error:
        replies.append(str(error))
    return replies


def _pieces(stream: bytes, head: bytes) -> Iterator[bytes]:
    match head[2] % 4:
        case 0:
            yield stream
        case 1:
            yield from _random_pieces(stream, head[3])
        case _:  # a server that waits for what it answers
            yield from stream.splitlines(keepends=True)


def _random_pieces(octets: bytes, seed: int) -> Iterator[bytes]:
    dice = random.Random(seed)
    position = 0
    while position < len(octets):
        size = dice.choice((1, 2, 3, 20, 100, 1000))
        yield octets[position : position + size]
        position += size


class _Session:
    """
    A client that wants as much as it may.
    """

    def __init__(self, head: bytes) -> None:
        self._wants = head[0]
        self._count = 1 + head[1] % 4
        self._waits = bool(head[1] & 0x80)
        uses = USED if head[1] & 0x40 else frozenset({"PIPELINING"})
        self._engine = ClientConnection("mx.example", dialect=SMTP if head[1] & 0x20 else LMTP, uses=uses)
        self._engine.greet()
        self._transactions: list[ClientTransaction] = []
        self._events: list[ClientEvent] = []

    def hear(self, octets: bytes) -> None:
        """
        Take a piece and do what comes to mind.
        """
        self._act(self._engine.receive_data(octets))
        if self._engine.is_idle and self._wants:
            self._say()
        if self._engine.can_begin and len(self._transactions) < _MOST_TRANSACTIONS:
            self._begin()
        self._engine.data_to_send()
        kept = self._engine._parser  # noqa: SLF001 - there is no other way to know what is kept
        assert len(kept._octets) < MAX_CHALLENGE_LINE  # noqa: SLF001
        assert len(kept._lines) <= MAX_LINES  # noqa: SLF001
        assert not (self._engine.is_over and kept.beginning)

    def _say(self) -> None:
        wanted, self._wants = self._wants % 8, self._wants // 8
        match wanted:
            case 1:
                self._engine.noop()
            case 2:
                self._engine.forward(_SAID)
            case 3:
                self._engine.authenticate("LOGIN")
            case 4:
                self._engine.start_tls()
            case 5:
                self._engine.replace_client(_SAID)
            case 6:
                self._engine.reset()
            case 7:
                self._engine.greet()

    def _begin(self) -> None:
        recipients = ("ann@x", "ann@x", "j\xf6rg@x", "bob@x")[: self._count]
        self._transactions.append(self._engine.begin(OutgoingEnvelope.parse("", *recipients), 20))

    def _act(self, events: list[ClientEvent]) -> None:
        self._events += events
        for event in events:
            match event:
                case ContentWanted():
                    self._send_content()
                case ReplyReceived(Point.AUTH, reply) if 300 <= reply.code < 400 and not self._engine.is_over:
                    self._engine.respond(None if self._waits else b"who?")
                case ReplyReceived(Point.STARTTLS, reply) if reply.is_positive and not self._engine.is_over:
                    self._engine.tls_started()
                    self._engine.greet()
                case ReplyReceived(Point.XCLIENT) if not (self._engine.has_greeted or self._engine.awaits):
                    self._greet_again()

    def _greet_again(self) -> None:
        if not self._engine.is_over:
            self._engine.greet()

    def _send_content(self) -> None:
        for number, piece in enumerate(_CONTENT):
            self._engine.send_content(piece, is_last=number == len(_CONTENT) - 1)
            if self._waits:
                self._act(self._engine.receive_data(b""))

    def end(self) -> None:
        """
        Close, and look at what has become of everybody.
        """
        self._act(self._engine.receive_eof())
        assert self._engine.is_over
        assert sum(isinstance(event, SessionLost) for event in self._events) == 1
        told = [(event.transaction, event.index) for event in self._events if isinstance(event, RecipientResolved)]
        assert len(told) == len(set(told)), told
        for result in (result for transaction in self._transactions for result in transaction.results):
            assert result is not None
            assert not result.is_delivered or (result.reply is not None and result.reply.is_positive)


def inputs(stream: bytes) -> Iterator[bytes]:
    """
    Make inputs of what a server says, with a few settings each.
    """
    for head in (b"\0\0\2\0", b"\0\3\3\1", b"\0\x43\2\2", b"\0\x22\2\3", b"\x0a\xc2\2\4", b"\0\3\1\5", b"\0\3\0\6"):
        yield head + stream


def seeds() -> Iterator[bytes]:
    """
    Make sessions that come to their end, and some that do not.
    """
    endings = (
        _OK * 4,
        b"250 ok\r\n452-4.2.2 mailbox\r\n452 4.2.2 full\r\n",
        b"421 4.3.2 bye\r\n" + _OK,
        b"",
        b"what\r\n",
    )
    for keyword, ending in product((b"PIPELINING", b"CHUNKING", b"SIZE 10", b"8BITMIME"), endings):
        accepted = _OK * 2 + b"550 5.1.1 no\r\n" + _OK
        go = b"" if keyword == b"CHUNKING" else b"354 go\r\n"
        transaction = accepted + go + ending
        yield from inputs(_OPENING % keyword + transaction + transaction)
    yield b"\3\1\2\0" + _OPENING % b"AUTH LOGIN" + b"334 \r\n334 eA==\r\n235 2.7.0 ok\r\n" + _OK
    yield b"\4\1\2\0" + _OPENING % b"STARTTLS" + b"220 go\r\n" + _LHLO % b"SIZE" + _OK
    replaced = b"220 s\r\n220 s\r\n" + _LHLO % b"SIZE"
    yield b"\5\1\2\0" + _OPENING % b"XCLIENT NAME HELO ADDR" + replaced + _OK
