# SPDX-License-Identifier: Apache-2.0
"""
Contents in chunks, for any sizes and octets: the replies and the contents are those of the model of tests/protocol.

Each octet of the input says what the client says next: a chunk whose size is right or wrong, or another command; the
octets of chunks have no letters, so that what comes as a command after all is none. Raises AssertionError when engine
and model differ. Called by run.py, and by the tests. RFC 3030 §2, RFC 2033 §4.3.
"""

import random
import re
from collections.abc import Iterator
from typing import Final

from lmtp.protocol import events
from lmtp.protocol.envelope import Recipient
from lmtp.protocol.extensions import EXTENSIONS, Offer
from lmtp.protocol.outcome import Accepted, Delivered, Failed
from lmtp.protocol.server import ServerConnection
from tests.protocol.model import LIMITS, Line, Model

DICTIONARY: Final = "chunks.dict"
"""Openings of sessions."""
LONGEST: Final = 256
"""What the client says, in octets of which each is a command or a piece of a chunk."""

_OFFER: Final = Offer(extensions=frozenset(row.keyword for row in EXTENSIONS), mechanisms=("PLAIN",))
_PIECES: Final = (b"\r", b"\n", b"\r\n", b".", b"\r\n.\r\n", b"\0", b"\xff", b"1" * 40, b"1" * 30_000 + b"\r\n")
_COMMANDS: Final = (
    Line(b"LHLO mx.example", "greet"),
    Line(b"MAIL FROM:<>", "mail", "250"),
    Line(b"MAIL FROM:<> BODY=BINARYMIME", "mail", "250", is_binary=True),
    Line(b"RCPT TO:<ann@example>", "rcpt"),
    Line(b"RCPT TO:<nobody@example>", "rcpt"),
    Line(b"DATA", "data"),
    Line(b"RSET", "rset"),
    Line(b"NOOP", "harmless", "250"),
)
_CHUNK: Final = len(_COMMANDS)
_LAST: Final = 16
_LIES: Final = (0, 0, 0, 0, -1, 1, 2, 30_000)
_CODE: Final = re.compile(rb"^([0-9]{3}) ", re.MULTILINE)


def check(octets: bytes) -> None:
    """
    Let the engine hear in pieces what the model hears at once, and compare.
    """
    stream, meanings = _script(octets)
    model = _Model(meanings)
    model.hear(stream)
    session = _Session()
    for piece in _pieces(stream, sum(octets)):
        session.hear(piece)
    assert [code.decode() for code in _CODE.findall(session.sent)] == model.codes, (stream, model.codes)
    assert session.completed == model.completed, (session.completed, model.completed)


def _script(octets: bytes) -> tuple[bytes, dict[bytes, Line]]:
    said, meanings = bytearray(), {line.octets: line for line in _COMMANDS}
    rest = iter(octets)
    for octet in rest:
        if octet % 32 < _CHUNK:
            said += _COMMANDS[octet % 32].octets + b"\r\n"
            continue
        chunk = b"".join(_PIECES[next(rest, 0) % len(_PIECES)] for _ in range(octet % 4))
        size = max(0, len(chunk) + _LIES[octet >> 5])
        line = b"BDAT %d%b" % (size, b" LAST" if octet & _LAST else b"")
        meanings[line] = Line(line, "bdat", size_bytes=size, is_last=bool(octet & _LAST))
        said += line + b"\r\n" + chunk
    return bytes(said), meanings


def _pieces(stream: bytes, seed: int) -> Iterator[bytes]:
    dice = random.Random(seed)
    position = 0
    while position < len(stream):
        size = dice.choice((1, 3, 20, 1000, 100_000))
        yield stream[position : position + size]
        position += size


class _Model(Model):
    """
    A model beside a programme that decides at once: nobody lives at an address that says so, all else is delivered.
    """

    def rcpt(self, line: Line) -> None:
        super().rcpt(line)
        number = len(self.offered) - 1
        self.undecided.remove(number)
        self.codes[self.offered[number]] = "550" if b"nobody" in line.octets else "250"
        self.accepted += [] if b"nobody" in line.octets else [number]

    def complete(self, refusal: str | None) -> None:
        super().complete(refusal)
        self.settle_all("250")


class _Session:
    """
    An engine, and that programme.
    """

    def __init__(self) -> None:
        self._engine = ServerConnection("store.example", limits=LIMITS, offer=_OFFER)
        self._content = b""
        self.sent = self._engine.data_to_send()
        self.completed: list[bytes] = []

    def hear(self, octets: bytes) -> None:
        """
        Let the octets come in and decide what is to be decided.
        """
        self._engine.receive_data(octets)
        while happened := self._engine.next_events():
            for event in happened:
                self._note(event)
        self.sent += self._engine.data_to_send()

    def _note(self, event: events.Event) -> None:
        match event:
            case events.RecipientOffered(recipient):
                self._engine.decide(recipient, Failed("5.1.1") if _is_nobody(recipient) else Accepted())
            case events.ContentStarted():
                self._content = b""
            case events.ContentReceived(octets):
                self._content += octets
            case events.ContentCompleted(envelope):
                self.completed.append(self._content)
                for recipient in envelope.recipients:
                    recipient.settle(Delivered())


def _is_nobody(recipient: Recipient) -> bool:
    return recipient.forward_path.mailbox.local_part == "nobody"


def seeds() -> Iterator[bytes]:
    """
    Make sessions with a few chunks.
    """
    opening = b"\0\1\3"
    yield opening + bytes([_CHUNK + 2, 0, 1, _CHUNK + _LAST + 1, 7])
    yield opening + b"\4\3" + bytes([_CHUNK + 1, 8, _CHUNK + 1, 8, _CHUNK + 1, 8, _CHUNK + _LAST])
    yield b"\0\2\3" + bytes([_CHUNK + 3, 0, 1, 5, _CHUNK + _LAST + 1, 6]) + b"\1"
    yield b"\0\1\4" + bytes([_CHUNK + 1, 7, _CHUNK + _LAST + 1, 7]) + b"\1\3\5" + b"\7"
    yield opening + bytes([0xA0 + _CHUNK + 1, 7, 0x80 + _CHUNK + _LAST + 1, 7]) + b"\6\1"
