# SPDX-License-Identifier: Apache-2.0
"""
The engine, for any octets: events or a documented reply, the same whatever the chunking, in time linear in the input.

`check` takes what a fuzzer makes up. Its first octets choose how the session is set up, cut and ended, so that the
fuzzer can vary that too; the rest is what the client sends. All is offered but STARTTLS, behind which nothing may come
in the same piece. Raises AssertionError when the invariant is broken. Called by run.py, and by the tests.
"""

import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from lmtp.protocol import events, sasl
from lmtp.protocol.dialect import LMTP, SMTP
from lmtp.protocol.envelope import Envelope, Recipient
from lmtp.protocol.extensions import EXTENSIONS, Demand, Offer
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed
from lmtp.protocol.reply import MAX_CHALLENGE_LINE, MAX_LINE, SHUTTING_DOWN
from lmtp.protocol.server import ServerConnection
from lmtp.testing.dialogues import load_dialogues

DICTIONARY: Final = "lmtp.dict"
"""The words of the protocol."""
LONGEST: Final = 2048
"""Longer inputs say little more and slow the fuzzer down."""
HEAD: Final = 6
"""Octets that are settings."""

LIMITS: Final = Limits(command_line_bytes=512, path_bytes=256, message_bytes=64 * 1024, recipients=100, bad_commands=50)
"""As small as they may be, so that the fuzzer comes near them."""

CALLS_PER_OCTET: Final = 60
"""More calls than this for an octet that comes alone are not linear: fewer than thirty were seen."""

_SHORT: Final = 200
"""Octets of an input that is always played octet by octet."""

_REPLIES: Final = re.compile(
    rb"(?:(?:(?P<code>[2-5][0-5][0-9])-[\t -~]*\r\n(?=(?P=code)[ -]))*[2-5][0-5][0-9] [\t -~]*\r\n)*"
)
_VERDICTS: Final = (Accepted(), Accepted(), Deferred("4.2.1"), Failed("5.1.1", "two\nlines"))
_STEPS: Final = (
    sasl.Challenge(b"who?"),
    sasl.Authenticated("ann"),
    sasl.Rejected(),
    sasl.Challenge(b"x" * 500),
    sasl.Rejected("4.7.0"),
)
_EVERYTHING: Final = Offer(
    extensions=frozenset(row.keyword for row in EXTENSIONS) - {"STARTTLS"}, mechanisms=("PLAIN", "SCRAM-SHA-256")
)
_PLAIN: Final = Offer(extensions=frozenset({"PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SIZE"}))
_OUTCOMES: Final = (Delivered(), Deferred("4.2.2"), Failed("5.7.1", "j\xf6rg\r\n250 ok"), Delivered())


def check(octets: bytes) -> None:
    """
    Let a session hear the same octets in several ways and compare.
    """
    head, stream = octets[:HEAD].ljust(HEAD, b"\0"), octets[HEAD:]
    whole = _Session(head).hear([stream])
    for pieces in _ways_to_cut(stream, head):
        cut = _Session(head).hear(pieces)
        assert whole.sent == cut.sent, (whole.sent, cut.sent)
        assert whole.report == cut.report, (whole.report, cut.report)
        assert whole.contents == cut.contents, (whole.contents, cut.contents)
    assert _REPLIES.fullmatch(whole.sent), whole.sent
    for line in whole.sent.splitlines(keepends=True):
        assert len(line) <= (MAX_CHALLENGE_LINE if line.startswith(b"334") else MAX_LINE), line
    if head[3] & 0x80:
        calls = _count_calls(lambda: _Session(head).hear(_one_by_one(stream)))
        assert calls <= CALLS_PER_OCTET * (len(stream) + 100), (calls, len(stream))


def _ways_to_cut(stream: bytes, head: bytes) -> Iterator[Iterator[bytes]]:
    yield _random_pieces(stream, head[2])
    if len(stream) <= _SHORT or head[3] & 0x40:  # each octet is a round through the engine: not always for long ones
        yield _one_by_one(stream)


def _one_by_one(octets: bytes) -> Iterator[bytes]:
    return (octets[i : i + 1] for i in range(len(octets)))


def _random_pieces(octets: bytes, seed: int) -> Iterator[bytes]:
    dice = random.Random(seed)
    position = 0
    while position < len(octets):
        size = dice.choice((1, 2, 3, 5, 20, 100, 1000))
        yield octets[position : position + size]
        position += size


def _count_calls(function: Callable[[], object]) -> int:
    calls = 0

    def count(_frame: object, what: str, _argument: object) -> None:
        nonlocal calls
        calls += what == "call"  # calls of C are not counted: the fuzzer puts its own everywhere

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls


class _Session:
    """
    An engine, and a programme behind it that decides by the number of the recipient.
    """

    def __init__(self, head: bytes) -> None:
        self._waits = bool(head[4] & 0x01)
        self._choice = head[1]
        self._farewell = head[3] & 0x03
        self._engine = ServerConnection(
            "store.example",
            dialect=SMTP if head[0] & 0x80 else LMTP,
            limits=LIMITS,
            leniency=Leniency(head[0] & 0x7F),
            offer=_offer(head[4]),
        )
        self._steps = head[5]
        self._is_asked = False
        self._recipients: list[Recipient] = []
        self._completed: list[Envelope] = []
        self._content = b""
        self.sent = b""
        self.report: list[object] = []
        self.contents: list[bytes] = []

    def hear(self, pieces: Iterable[bytes]) -> "_Session":
        """
        Let the pieces come in, decide what is to be decided, and bring the session to its end.
        """
        for piece in pieces:
            self._engine.receive_data(piece)
            self._listen()
        while self._waits and self._decide_backwards():
            self._listen()
        self._end()
        self._listen()
        return self

    def _end(self) -> None:
        match self._farewell:
            case 1:
                self._engine.receive_eof()
            case 2:
                self._engine.drain()
            case 3:
                self._engine.close(SHUTTING_DOWN)
            case _:
                self._engine.receive_reset()

    def _listen(self) -> None:
        while happened := self._engine.next_events():
            for event in happened:
                self._note(event)
            if not self._waits:
                self._decide_backwards()
        self.sent += self._engine.data_to_send()

    def _decide_backwards(self) -> bool:
        """
        Decide and settle everybody who waits, the last first, and answer who authenticates; whether there was anybody.
        """
        was_asked = self._is_asked
        if was_asked:
            self._authenticate()
        undecided = [recipient for recipient in self._recipients if recipient.verdict is None]
        unsettled = self._completed[-1].unsettled if self._completed else []
        for recipient in reversed(undecided):
            self._decide(recipient)
        for recipient in reversed(unsettled):
            self._settle(recipient)
        return bool(was_asked or undecided or unsettled)

    def _decide(self, recipient: Recipient) -> None:
        self._engine.decide(recipient, _VERDICTS[(self._choice + self._recipients.index(recipient)) % 4])

    def _settle(self, recipient: Recipient) -> None:
        recipient.settle(_OUTCOMES[(self._choice // 4 + self._recipients.index(recipient)) % 4])

    def _authenticate(self) -> None:
        self._is_asked = False
        self._steps += 1
        self._engine.authenticate(_STEPS[self._steps % 5])

    def _note(self, event: events.Event) -> None:
        self._react(event)
        # How a content was cut is nobody's business; verdicts stand where the programme gave them.
        if not isinstance(event, events.ContentReceived | events.RecipientDecided):
            self.report.append((type(event), *(self._describe(getattr(event, name)) for name in event.__slots__)))

    def _react(self, event: events.Event) -> None:
        match event:
            case events.AuthenticationStarted() | events.AuthenticationContinued():
                self._is_asked = True
            case events.ClientReplaced():
                self._engine.offer = replace(self._engine.offer, extensions=_PLAIN.extensions)
            case events.ContentReceived(octets):
                self._content += octets
            case events.ContentStarted():
                self._content = b""
            case events.RecipientOffered(recipient):
                self._recipients.append(recipient)
            case events.ContentCompleted(envelope):
                self.contents.append(self._content)
                self._completed.append(envelope)

    def _describe(self, value: object) -> object:
        if isinstance(value, Recipient):
            return self._recipients.index(value), value.forward_path
        if isinstance(value, Envelope):
            return value.reverse_path, value.parameters
        return value


def _offer(octet: int) -> Offer:
    offer = _PLAIN if octet & 0x02 else _EVERYTHING
    demands = (Demand.TLS if octet & 0x04 else Demand.NOTHING) | (Demand.AUTHENTICATION if octet & 0x08 else Demand(0))
    return replace(offer, demands=demands, is_encrypted=bool(octet & 0x10))


def inputs(stream: bytes) -> Iterator[bytes]:
    """
    Make inputs of what a client sends, with a few settings each.
    """
    for head in (b"\0\0\0\0\0\0", b"\0\1\1\x81\x01\1", b"\x8f\2\2\2\x12\2", b"\x7f\3\3\x43\x11\3"):
        yield head + stream


def seeds() -> Iterator[bytes]:
    """
    Make inputs of the transcripts.
    """
    for dialogue in load_dialogues(Path(__file__).parents[1] / "tests" / "dialogues"):
        yield from inputs(dialogue.client_octets[:LONGEST])
