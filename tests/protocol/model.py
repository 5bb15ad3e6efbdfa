# SPDX-License-Identifier: Apache-2.0
"""
A model of RFC 2033 that knows nothing of the engine: how many replies a session owes, and which codes they have.

It hears lines whose meaning the test knows, so it parses nothing. Called by the state machine alone.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from lmtp.protocol.limits import Limits

LIMITS: Final = Limits(command_line_bytes=512, message_bytes=65536, bad_commands=6)
"""The limits of the engine and of the model."""


@dataclass(frozen=True)
class Line:
    """
    One line a client says, and what it is if it comes as a command.
    """

    octets: bytes
    """What is sent, with its CRLF."""
    verb: str
    """What it asks for; "refused" when it is no command."""
    code: str = "250"
    """The code of the reply to a line that is refused, or obeyed without any effect."""
    answered_at: int = 0
    """How many of its octets are enough to answer it, when that is less than all."""

    @property
    def known_after(self):
        return self.answered_at or len(self.octets)


@dataclass
class Model:
    """
    Which replies a session owes, by RFC 2033 §4 and RFC 5321 §4.1.4.
    """

    codes: list[str | None] = field(default_factory=lambda: ["220"])
    """One for each reply, in order; None is one that is not known yet."""
    phase: str = "connected"
    """Where the session is: connected, ready, mail, content, replying or closed."""
    offered: list[int] = field(default_factory=list)
    """The place in `codes` of each recipient's next reply."""
    accepted: list[int] = field(default_factory=list)
    """The numbers of this transaction's accepted recipients, in the order of their RCPTs."""
    undecided: set[int] = field(default_factory=set)
    """The numbers of the recipients that wait for a verdict."""
    unsettled: set[int] = field(default_factory=set)
    """The numbers of the recipients that wait for an outcome."""
    lines: deque[Line] = field(default_factory=deque)
    """What was heard and has to wait."""
    content: bytes = b""
    """The content so far."""
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

    def hear(self, lines):
        self.lines.extend(lines)
        self.go_on()

    def go_on(self):
        while self.lines and self.may_obey(self.lines[0]):
            self.obey(self.lines.popleft())
        if self.lines or self.undecided or self.phase in ("replying", "closed"):
            return
        if self.has_left:
            self.phase = "closed"
        elif self.is_draining and self.phase in ("connected", "ready"):
            self.close()

    def may_obey(self, line):
        return self.phase not in ("replying", "closed") and (not self.undecided or line.verb == "rcpt")

    def obey(self, line):
        if self.phase == "content":
            self.take_content(line)
            return
        bad_before, self.bad = self.bad, 0
        match line.verb:
            case "greet":
                self.phase = "ready"
                self.codes.append("250")
            case "mail" | "big mail" if self.phase == "ready":
                self.mail(line)
            case "rcpt" if self.phase == "mail":
                self.undecided.add(len(self.offered))
                self.offered.append(len(self.codes))
                self.codes.append(None)
            case "data" if self.phase == "mail" and self.accepted:
                self.phase, self.content, self.refusal = "content", b"", None
                self.codes.append("354")
            case "rset":
                self.phase = "ready" if self.phase == "mail" else self.phase
                self.codes.append("250")
            case "harmless":
                self.codes.append(line.code)
            case "quit":
                self.codes.append("221")
                self.phase = "closed"
            case "refused" | "dot":
                self.refuse(bad_before, "500" if line.verb == "dot" else line.code)
            case _:
                self.refuse(bad_before, "503")

    def mail(self, line):
        if self.is_draining:
            self.close()
        elif line.verb == "big mail":
            self.codes.append("552")
        else:
            self.phase, self.accepted = "mail", []
            self.codes.append("250")

    def refuse(self, bad_before, code):
        self.bad = bad_before + 1
        if self.bad < LIMITS.bad_commands:
            self.codes.append(code)
        else:
            self.close()

    def take_content(self, line):
        if line.verb != "dot":
            self.content += line.octets.removeprefix(b".")
            return
        self.phase = "replying"
        for number in self.accepted:
            self.offered[number] = len(self.codes)
            self.codes.append(None)
            self.unsettled.add(number)
        refusal = self.complaint() or self.refusal
        if refusal:
            self.settle_all(refusal)
        else:
            self.completed.append(self.content)

    def complaint(self):
        if len(self.content) > LIMITS.message_bytes:
            return "552"
        return "554" if re.search(rb"(?<!\r)\n|\r(?!\n)|\0", self.content) else None

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
        if self.phase == "content":
            self.refusal = self.refusal or code
        self.settle_all(code)

    def vanish(self):
        """
        The connection is gone: nobody decides any more, and nothing that waited is obeyed.
        """
        self.has_left = True
        self.undecided.clear()
        self.lines.clear()
        self.go_on()

    def close(self):
        if self.phase == "closed":
            return
        for number in self.undecided:
            self.codes[self.offered[number]] = "451"
        self.undecided.clear()
        self.settle_all("451")
        self.codes.append("421")
        self.phase = "closed"
        self.lines.clear()
