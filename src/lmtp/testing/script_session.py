# SPDX-License-Identifier: Apache-2.0
r"""
One session of a scripted server, without any I/O: octets in, deeds out, and a record of what the client said.

    session = ScriptedSession(Script.parse("rcpt 2: 452 4.2.2 Full"))
    deeds = session.begin()
    deeds += session.receive_data(b"LHLO client.example\r\n")

It reads commands and contents by code of its own, so that it shares no mistake with the engine that it tests. Called
by script_server.py, and by tests that need no loop. Raises nothing. RFC 5321 §4.1, RFC 2033 §4.2, RFC 3030 §2.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from lmtp.protocol.dialect import Replies
from lmtp.protocol.results import Point
from lmtp.testing.script import Close, Deed, Reset, Say, Script, Stall

_BDAT: Final = re.compile(rb"BDAT (?P<size>\d{1,20})(?P<last> LAST)?", re.IGNORECASE)
_IN_TRANSACTION: Final = (Point.RCPT, Point.CHUNK, Point.CONTENT)
_SIMPLE: Final[Mapping[bytes, tuple[Point, str]]] = {
    b"XFORWARD": (Point.XFORWARD, "250 2.0.0 Ok"),
    b"NOOP": (Point.NOOP, "250 2.0.0 Ok"),
    b"VRFY": (Point.VRFY, "252 2.1.5 Try and see"),
}
"""Commands that change nothing."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """
    The handshake begins here, where there is a certificate; then `ScriptedSession.receive_data` gets clear text.
    """


class ScriptedSession:
    """
    One connection of a scripted server, from the greeting to the end.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        """What is special about it."""
        self.commands: list[bytes] = []
        """The lines the client sent, responses of AUTH among them, without CRLF."""
        self.contents: list[bytes] = []
        """The contents that came to their end, without the dots of the transport."""
        self.received = bytearray()
        """All octets that came in."""
        self.is_over = False
        """The server has closed, reset or stalled: it hears nothing any more."""
        self._buffer = bytearray()
        self._deeds: list[Deed | StartTls] = []
        self._counts: Counter[Point] = Counter()
        self._transactions = 0
        self._has_interrupted = False
        self._chunk_size, self._chunk_is_last = 0, False
        self._searched = 0
        self._read: Callable[[], bool] = self._read_command
        self._end_transaction()

    def begin(self) -> list[Deed | StartTls]:
        """
        Return what the server does first.
        """
        self._answer(Point.GREETING, f"220 {self.script.server_name} {self.script.dialect.name}")
        return self._take_deeds()

    def receive_data(self, octets: bytes) -> list[Deed | StartTls]:
        """
        Take what came in and return what is done about it.
        """
        if not self.is_over:
            self.received += octets
            self._buffer += octets
        while not self.is_over and self._read():
            pass
        return self._take_deeds()

    # What is done

    def _take_deeds(self) -> list[Deed | StartTls]:
        deeds, self._deeds = self._deeds, []
        return deeds

    def _answer(self, point: Point, otherwise: str) -> int:
        """
        Do what the script says, or answer as one should; return the code of the last reply, 0 when there was none.
        """
        self._counts[point] += 1
        rule = self.script.find(point, self._counts[point], self._transactions)
        return self._do(rule.deeds if rule else (Say.reply(otherwise),))

    def _do(self, deeds: tuple[Deed, ...]) -> int:
        code = 0
        for deed in deeds:
            self._deeds.append(deed)
            if isinstance(deed, Say):
                code = deed.code
            elif isinstance(deed, Close | Reset | Stall):
                self.is_over = True
                return 0
        return code

    # Commands

    def _read_line(self) -> bytes | None:
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            return None
        self._buffer = rest
        self.commands.append(bytes(line))
        return bytes(line)

    def _read_command(self) -> bool:
        line = self._read_line()
        if line is not None:
            self._obey(line)
        return line is not None

    def _obey(self, line: bytes) -> None:
        verb = line.split(b" ")[0].upper()
        methods: Mapping[bytes, Callable[[bytes], None]] = {
            self.script.dialect.greeting_verb.encode(): self._lhlo, b"STARTTLS": self._starttls, b"AUTH": self._auth,
            b"XCLIENT": self._xclient, b"MAIL": self._mail, b"RCPT": self._rcpt, b"DATA": self._data,
            b"BDAT": self._bdat, b"RSET": self._rset, b"QUIT": self._quit,
        }  # fmt: skip
        if verb in _SIMPLE:
            self._answer(*_SIMPLE[verb])
        elif verb in methods:
            methods[verb](line)
        else:
            self._do((Say.reply("500 5.5.1 What?"),))

    def _lhlo(self, _line: bytes) -> None:
        self._end_transaction()
        self._answer(Point.LHLO, " / ".join([f"250 {self.script.server_name}", *self.script.offers]))

    def _starttls(self, _line: bytes) -> None:
        is_offered = "STARTTLS" in self.script.offers
        code = self._answer(Point.STARTTLS, "220 2.0.0 Go ahead" if is_offered else "502 5.5.1 Not here")
        if code == 220:
            self._buffer.clear()  # what came in clear must not be taken for what comes under TLS (RFC 3207 §4.2)
            self._deeds.append(StartTls())

    def _auth(self, line: bytes) -> None:
        has_response = len(line.split()) > 2
        self._authenticate("235 2.7.0 Welcome" if has_response else "334 ")

    def _authenticate(self, otherwise: str) -> None:
        code = self._answer(Point.AUTH, otherwise)
        self._read = self._read_response if code == 334 else self._read_command

    def _read_response(self) -> bool:
        line = self._read_line()
        if line is not None:
            self._authenticate("501 5.7.0 As you like" if line == b"*" else "235 2.7.0 Welcome")
        return line is not None

    def _xclient(self, _line: bytes) -> None:
        self._end_transaction()
        self._answer(Point.XCLIENT, f"220 {self.script.server_name} {self.script.dialect.name}")

    def _rset(self, _line: bytes) -> None:
        self._end_transaction()
        self._answer(Point.RSET, "250 2.0.0 Reset")

    def _quit(self, _line: bytes) -> None:
        if self._answer(Point.QUIT, "221 2.0.0 Goodbye") == 221:
            self._do((Close(),))

    # Transactions

    def _end_transaction(self) -> None:
        self._is_open = False
        self._accepted = 0
        self._chunks = bytearray()

    def _mail(self, _line: bytes) -> None:
        self._end_transaction()
        self._transactions += 1
        for point in _IN_TRANSACTION:
            self._counts[point] = 0
        self._has_interrupted = False
        self._is_open = self._answer(Point.MAIL, "250 2.1.0 Sender ok") // 100 == 2

    def _rcpt(self, _line: bytes) -> None:
        code = self._answer(Point.RCPT, "250 2.1.5 Recipient ok" if self._is_open else "503 5.5.1 MAIL first")
        self._accepted += code // 100 == 2

    def _data(self, _line: bytes) -> None:
        refusal = f"{self.script.dialect.no_recipients_code} 5.5.1 No valid recipients"
        if self._answer(Point.DATA, "354 Go ahead" if self._accepted else refusal) // 100 == 3:
            # As if a line had ended before it, so that a dot at once ends it too.
            self._buffer[:0] = b"\r\n"
            self._searched = 0
            self._read = self._read_content

    def _read_content(self) -> bool:
        end = self._buffer.find(b"\r\n.\r\n", self._searched)
        self._searched = max(0, len(self._buffer) - 4)
        if self._interrupt(len(self._buffer) - 2) or end < 0:
            return False
        content = bytes(self._buffer[: end + 2])
        del self._buffer[: end + 5]
        self.contents.append(content.replace(b"\r\n.", b"\r\n")[2:])
        self._read = self._read_command
        self._end_content()
        return True

    def _interrupt(self, octets: int) -> bool:
        """
        Do what is to be done behind so many octets of the content, once; whether that was the end.
        """
        rule = self.script.find(None, 0, self._transactions)
        if rule is not None and octets >= rule.octets and not self._has_interrupted:
            self._has_interrupted = True
            self._do(rule.deeds)
        return self.is_over

    def _bdat(self, line: bytes) -> None:
        match = _BDAT.fullmatch(line)
        if match is None:
            self._do((Say.reply("501 5.5.4 BDAT size, please"), Close()))
            return
        self._chunk_size, self._chunk_is_last = int(match["size"]), match["last"] is not None
        self._read = self._read_chunk

    def _read_chunk(self) -> bool:
        octets = self._buffer[: self._chunk_size]
        if self._interrupt(len(self._chunks) + len(octets)) or len(octets) < self._chunk_size:
            return False
        self._chunks += octets
        del self._buffer[: self._chunk_size]
        self._read = self._read_command
        self._end_chunk()
        return True

    def _end_chunk(self) -> None:
        if not self._accepted:
            self._do((Say.reply("503 5.5.1 No valid recipients"),))
        elif self._chunk_is_last:
            self.contents.append(bytes(self._chunks))
            self._end_content()
        else:
            self._answer(Point.CHUNK, f"250 2.0.0 {self._chunk_size} octets")

    def _end_content(self) -> None:
        due = self._accepted if self.script.dialect.replies is Replies.PER_RECIPIENT else 1
        count = due if self.script.content_replies is None else self.script.content_replies
        for _ in range(count):
            if not self.is_over:
                self._answer(Point.CONTENT, "250 2.0.0 Delivered")
        self._end_transaction()
