# SPDX-License-Identifier: Apache-2.0
"""
A model of RFC 2033 that shares no code with the engine: how many replies a session owes, and which codes they have.

It reads octets the slow way and understands the lines whose meaning the test has told it; any other is nonsense.
Called by the state machine alone. RFC 2033 §4, RFC 5321 §4.1.4, RFC 3030 §2, RFC 4954 §4.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from lmtp.protocol.limits import Limits

LIMITS: Final = Limits(command_line_bytes=512, message_bytes=65536, bad_commands=12)
"""The limits of the engine and of the model."""
LONGEST_LINE: Final = 12_290
"""Octets of a line with its CRLF where AUTH is offered (RFC 4954 §4)."""

_END: Final = b"\r\n.\r\n"
_FAULT: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0")
_BASE64: Final = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


@dataclass(frozen=True)
class Line:
    """
    One line a client says, and what it is if it comes as a command.
    """

    octets: bytes
    """The line without its CRLF."""
    verb: str = "refused"
    """What it asks for; "refused" when it is no command, "broken" when it is no line."""
    code: str = "500"
    """The code of the reply when nothing is in the way of it."""
    is_international: bool = False
    """MAIL says that addresses may have UTF-8, or RCPT has it."""
    is_binary: bool = False
    """MAIL says that the content comes in chunks."""
    size_bytes: int = 0
    """How many octets follow it as a chunk."""
    is_last: bool = False
    """The chunk is the last."""
    ends_session: bool = False
    """Nobody can know what follows it."""


@dataclass
class Model:
    """
    Which replies a session owes.
    """

    meanings: dict[bytes, Line]
    """The lines that mean something, by their octets."""
    codes: list[str | None] = field(default_factory=lambda: ["220"])
    """One for each reply, in order; None is one that is not known yet."""
    phase: str = "connected"
    """Connected, ready, mail, content, chunks, broken, replying, checking, challenged or closed."""
    octets: bytes = b""
    """What was heard and not read."""
    held: Line | None = None
    """A line that was read and has to wait."""
    is_skipping: bool = False
    """What comes belongs to a line that was no line, up to its CRLF."""
    chunk: Line | None = None
    """The announcement of the chunk that is coming in."""
    left: int = 0
    """The octets of it that are missing."""
    is_kept: bool = False
    """They are content."""
    offered: list[int] = field(default_factory=list)
    """The place in `codes` of each recipient's next reply."""
    accepted: list[int] = field(default_factory=list)
    """The numbers of this transaction's accepted recipients, in the order of their RCPTs."""
    undecided: set[int] = field(default_factory=set)
    """The numbers of the recipients that wait for a verdict."""
    unsettled: set[int] = field(default_factory=set)
    """The numbers of the recipients that wait for an outcome."""
    checked: int = 0
    """The place in `codes` of the reply to the response that is being checked."""
    failures: int = 0
    """Wrong credentials."""
    identity: str = ""
    """Whom the client has proved to be."""
    is_replaced: bool = False
    """XCLIENT has come; there is no second one."""
    mail_line: Line | None = None
    """The MAIL command of this transaction."""
    content: bytes = b""
    """The content so far."""
    is_too_big: bool = False
    """A chunk was announced that did not fit."""
    refusal: str | None = None
    """The code with which the programme refused this content."""
    completed: list[bytes] = field(default_factory=list)
    """Every content that was completed and not refused."""
    bad: int = 0
    """Refused commands in a row."""
    is_draining: bool = False
    """The programme wants the session to end when it can."""
    has_left: bool = False
    """The client says nothing any more."""

    @property
    def released(self):
        """
        The codes that must have been sent: all up to the first that is not known.
        """
        return self.codes[: self.codes.index(None)] if None in self.codes else self.codes

    # What comes in.

    def hear(self, octets):
        self.octets += b"" if self.phase == "closed" else octets
        self.go_on()

    def go_on(self):
        while self.phase not in ("replying", "checking", "closed") and self.read():
            pass
        if self.held or self.undecided or self.phase in ("replying", "checking", "closed"):
            return
        if self.has_left:
            self.phase = "closed"
        elif self.is_draining and self.chunk is None and self.phase in ("connected", "ready", "challenged"):
            self.close()

    def read(self):
        """
        Read what comes next; whether all of it was there.
        """
        if self.chunk:
            return self.read_chunk(self.chunk)
        if self.phase == "content":
            return self.read_content()
        line = self.held or self.next_line()
        self.held = line if line and self.undecided and line.verb != "rcpt" else None
        if line is None or self.held:
            return False
        if self.phase == "challenged":
            self.respond(line)
        else:
            self.obey(line)
        return True

    def next_line(self):
        if self.is_skipping:
            _, line_end, rest = self.octets.partition(b"\r\n")
            self.octets = rest if line_end else self.octets[-1:]
            self.is_skipping = not line_end
        end = 1 + self.octets.find(b"\n", 0, LONGEST_LINE)
        if self.is_skipping or (not end and len(self.octets) < LONGEST_LINE):
            return None
        line, rest = self.octets[: end or LONGEST_LINE], self.octets[end or LONGEST_LINE :]
        if line.endswith(b"\r\n"):
            self.octets = rest
            return self.meaning(line[:-2])
        self.octets, self.is_skipping = line[-1:] + rest, True
        return Line(line, "broken", ends_session=line[:4].upper() == b"BDAT")

    def meaning(self, octets):
        is_chunk = octets[:4].upper() == b"BDAT" and not octets.decode("latin-1").isprintable()
        return self.meanings.get(octets) or Line(octets, ends_session=is_chunk)

    def read_chunk(self, chunk):
        octets, self.octets = self.octets[: self.left], self.octets[self.left :]
        self.left -= len(octets)
        self.content += octets if self.is_kept else b""
        if self.left:
            return False
        self.chunk = None
        self.end_chunk(chunk)
        return True

    def read_content(self):
        lines, end, rest = (b"\r\n" + self.octets).partition(_END)
        if not end:
            return False
        self.octets = rest
        self.content = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines.split(b"\r\n")[1:])
        self.complete(self.complaint(self.content))
        return True

    # Commands.

    def obey(self, line):
        if self.is_replaced and line.verb in ("xclient", "xforward"):
            self.refuse("500")
        elif line.verb in ("refused", "broken") or (line.code == "501" and line.verb != "auth"):
            self.refuse(line.code)
        elif self.is_in_place(line):
            getattr(self, line.verb)(line)
        else:
            self.refuse("503")
        if line.ends_session:
            self.close()

    def is_in_place(self, line):
        match line.verb:
            case "mail" | "xforward":
                return self.phase == "ready"
            case "rcpt":
                return self.phase == "mail"
            case "data":
                return self.phase == "mail" and self.accepted and not self.mail_line.is_binary
            case "auth":
                return self.phase == "ready" and not self.identity
            case "xclient":
                return self.phase in ("connected", "ready")
            case _:
                return True

    def refuse(self, code):
        self.bad += 1
        if self.bad < LIMITS.bad_commands:
            self.codes.append(code)
        else:
            self.close()

    def grant(self, code, phase=""):
        self.bad = 0
        self.codes.append(code)
        self.phase = phase or self.phase

    def harmless(self, line):
        self.grant(line.code)

    xforward = harmless

    def greet(self, _line):
        self.grant("250", "ready")

    def rset(self, _line):
        self.grant("250", "connected" if self.phase == "connected" else "ready")

    def quit(self, _line):
        self.grant("221", "closed")

    def xclient(self, _line):
        self.is_replaced = True
        self.grant("220", "connected")

    def mail(self, line):
        if self.is_draining:
            self.close()
        elif line.code == "250":
            self.grant("250", "mail")
            self.accepted, self.mail_line = [], line
        else:
            self.grant(line.code)

    def rcpt(self, line):
        if line.is_international and not self.mail_line.is_international:
            self.refuse("553")
            return
        self.undecided.add(len(self.offered))
        self.offered.append(len(self.codes))
        self.grant(None)

    def data(self, _line):
        self.begin_content()
        self.grant("354", "content")

    # Authentication.

    def auth(self, line):
        if line.code == "334":
            self.check()
        else:
            self.refuse(line.code)

    def check(self):
        self.phase, self.checked = "checking", len(self.codes)
        self.codes.append(None)

    def respond(self, line):
        self.phase = "ready"
        if line.verb == "broken":
            self.refuse("500")
        elif _BASE64.fullmatch(line.octets):
            self.check()
        else:
            self.refuse("501")

    def answer(self, code, identity=""):
        self.codes[self.checked] = code
        self.phase = "challenged" if code == "334" else "ready"
        self.identity = identity
        self.bad = 0 if identity else self.bad
        self.failures += code == "535"
        if self.failures == LIMITS.authentication_failures:
            self.close()
        self.go_on()

    # Content.

    def begin_content(self):
        self.content, self.is_too_big, self.refusal = b"", False, None

    def bdat(self, line):
        self.chunk, self.left, self.is_kept = line, line.size_bytes, False
        if self.phase == "mail" and self.accepted:
            self.begin_content()
            self.phase = "chunks"
        if self.phase == "chunks":
            self.is_kept = len(self.content) + self.left <= LIMITS.message_bytes
            self.is_too_big = not self.is_kept

    def end_chunk(self, chunk):
        match self.phase:
            case "chunks" if chunk.is_last:
                self.complete(self.complaint(self.content))
            case "chunks":
                code = self.complaint(self.content.removesuffix(b"\r"))
                self.phase = "broken" if code else "chunks"
                self.codes.append(code or "250")
            case "broken" if chunk.is_last:
                self.complete("503")
            case "broken":
                self.codes.append("503")
            case "mail" if chunk.is_last:
                self.phase = "ready"  # nobody was accepted, so nobody is answered for
            case _:
                self.refuse("503")

    def complaint(self, content):
        if self.is_too_big or len(content) > LIMITS.message_bytes:
            return "552"
        return "554" if _FAULT.search(content) and not self.mail_line.is_binary else self.refusal

    def complete(self, refusal):
        self.phase = "replying"
        for number in self.accepted:
            self.offered[number] = len(self.codes)
            self.codes.append(None)
            self.unsettled.add(number)
        if refusal:
            self.settle_all(refusal)
        else:
            self.completed.append(self.content)

    # What the programme decides.

    def decide(self, number, code):
        self.undecided.remove(number)
        self.codes[self.offered[number]] = code
        if code == "250":
            self.accepted.append(number)
            self.accepted.sort()
        self.go_on()

    def settle(self, number, code):
        self.unsettled.remove(number)
        self.codes[self.offered[number]] = code
        if not self.unsettled:
            self.phase = "ready"

    def settle_all(self, code):
        for number in sorted(self.unsettled):
            self.settle(number, code)

    def refuse_content(self, code):
        self.refusal = self.refusal or code
        self.settle_all(code)
        self.go_on()

    def drain(self):
        self.is_draining = True
        self.go_on()

    # The end.

    def leave(self):
        self.has_left = True
        self.go_on()

    def vanish(self):
        """
        The connection is gone: nobody decides any more, and nothing that waited is obeyed.
        """
        self.undecided.clear()
        self.give_up_authentication()
        self.octets, self.held = b"", None
        self.leave()

    def give_up_authentication(self):
        if self.phase == "checking":
            self.codes[self.checked] = "454"
            self.phase = "ready"

    def close(self):
        if self.phase == "closed":
            return
        self.give_up_authentication()
        for number in self.undecided:
            self.codes[self.offered[number]] = "451"
        self.undecided.clear()
        self.settle_all("451")
        self.codes.append("421")
        self.phase, self.octets, self.held = "closed", b"", None
