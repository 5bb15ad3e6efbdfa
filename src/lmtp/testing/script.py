# SPDX-License-Identifier: Apache-2.0
r"""
What a scripted server does, point by point: values, and a text that people can read.

    rcpt 2: 452 4.2.2 Full after 3 s
    content 3: close before the reply

`Script.parse` reads one; everything a script does not mention is done right. A statement is a line, or stands behind a
comma: a point of the dialogue, a colon, and what is done there, several things with ``;`` between them. Not here: who
plays it (script_session.py). Raises `ScriptError`. The table of points and deeds is docs/reference/scripts.md.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from lmtp.protocol.dialect import LMTP, SMTP, Dialect
from lmtp.protocol.results import Point

POINTS: Final[Mapping[str, Point]] = {
    "greeting": Point.GREETING,
    "lhlo": Point.LHLO,
    "starttls": Point.STARTTLS,
    "auth": Point.AUTH,
    "xclient": Point.XCLIENT,
    "xforward": Point.XFORWARD,
    "mail": Point.MAIL,
    "rcpt": Point.RCPT,
    "data": Point.DATA,
    "bdat": Point.CHUNK,
    "content": Point.CONTENT,
    "rset": Point.RSET,
    "noop": Point.NOOP,
    "vrfy": Point.VRFY,
    "quit": Point.QUIT,
}
"""The points at which a server answers, by their names in a script."""

GARBAGE: Final = b"\x00\xff\xfe is no reply\r\n"
"""What a server says that has gone mad."""

_DIALECTS: Final = {"LMTP": LMTP, "SMTP": SMTP}
_WHERE: Final = rf"(?:transaction \d+ )?(?:(?:{'|'.join(POINTS)})(?: \d+)?|during content(?: at \d+)?)"
_NEXT: Final = re.compile(rf"\n|, *(?={_WHERE}:)")
_STATEMENT: Final = re.compile(
    rf"(?:transaction (?P<transaction>\d+) )?"
    rf"(?:(?P<point>{'|'.join(POINTS)})(?: (?P<number>\d+))?|(?P<during>during content)(?: at (?P<octets>\d+))?):"
    r" *(?P<deeds>.+)"
)
_SETTING: Final = re.compile(r"(?P<word>offer|name|dialect): *(?P<value>.*)")
_DEED: Final = re.compile(r"(?P<what>.+?)(?: after (?P<seconds>\d+(?:\.\d+)?) ?s(?:econds?)?)?")
_REPLY: Final = re.compile(r"(?P<code>[2-5]\d\d)(?: (?P<text>.*))?")
_COUNT: Final = re.compile(r"(?P<count>\d+) repl(?:y|ies)")
_QUOTED: Final = re.compile(r'"(?P<octets>.*)"')
_ESCAPE: Final = re.compile(r"\\(?:x(?P<hex>[0-9A-Fa-f]{2})|(?P<letter>[rnt0\\\"]))")
_LETTERS: Final = {"r": "\r", "n": "\n", "t": "\t", "0": "\0"}


class ScriptError(ValueError):
    """
    A script can't be understood; the message quotes what it stumbled over.
    """


@dataclass(frozen=True, slots=True)
class Say:
    """
    Octets are sent, whether or not they are a reply.
    """

    octets: bytes
    """What goes out, with its CRLF."""

    @classmethod
    def reply(cls, text: str) -> Self:
        """
        Make a reply of a code and a text; `` / `` begins a new line of it.

        Raises:
            ScriptError: it does not begin with a code.
        """
        match = _REPLY.fullmatch(text)
        if match is None:
            raise ScriptError(f"{text!r} is no reply")
        lines = (match["text"] or "").split(" / ")
        marks = ["-"] * (len(lines) - 1) + [" "]
        return cls(
            b"".join(f"{match['code']}{mark}{line}\r\n".encode() for mark, line in zip(marks, lines, strict=True))
        )

    @property
    def code(self) -> int:
        """
        The code of the last line; 0 when that is none, so that whoever plays it knows what has been promised.
        """
        last = self.octets.removesuffix(b"\r\n").rpartition(b"\n")[2]
        return int(last[:3]) if re.match(rb"[2-5]\d\d(?: |$)", last) and self.octets.endswith(b"\n") else 0


@dataclass(frozen=True, slots=True)
class Wait:
    """
    Nothing is done for a while, by the clock of whoever plays the script.
    """

    seconds: float
    """How long."""


@dataclass(frozen=True, slots=True)
class Close:
    """
    The connection is closed in good order, and what the client goes on to say is not heard.
    """


@dataclass(frozen=True, slots=True)
class Reset:
    """
    The connection is torn down: on TCP with RST, so that the client may also lose what it has not read yet.
    """


@dataclass(frozen=True, slots=True)
class Stall:
    """
    Nothing is said and nothing is read any more, and the connection stays open.
    """


Deed = Say | Wait | Close | Reset | Stall
"""What a server can do at a point."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What is done at one point instead of what is right.
    """

    point: Point | None
    """What the server would answer; None: nothing, for the content is still coming in."""
    deeds: tuple[Deed, ...]
    """What it does, in order; nothing at all is a reply that is missing."""
    number: int | None = None
    """Which one, from 1: of the transaction's for RCPT, BDAT and CONTENT, else of the session's; None: each."""
    transaction: int | None = None
    """Which transaction of the session, from 1, counted by MAIL; None: each."""
    octets: int = 1
    """While the content comes in: behind how many octets of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """
    One session of a server, as far as it is not what it should be.
    """

    rules: tuple[Rule, ...] = ()
    """What is special; of several that apply the one that says more exactly where counts, then the first."""
    offers: tuple[str, ...] = ("PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "SIZE")
    """The lines of the answer to LHLO."""
    content_replies: int | None = None
    """Replies after a content; None: as many as are due."""
    server_name: str = "scripted.example"
    """What the server calls itself."""
    dialect: Dialect = LMTP
    """LMTP or SMTP."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read a script.

        Raises:
            ScriptError: a statement means nothing.
        """
        script = cls()
        for statement in _NEXT.split(text):
            stripped = statement.strip()
            if stripped and not stripped.startswith("#"):
                script = script._with(stripped)
        return script

    def at(self, point: Point, *deeds: Deed, number: int | None = None, transaction: int | None = None) -> Self:
        """
        Return this script with one rule more.

        Args:
            point: Where the server would answer.
            *deeds: What it does instead; nothing: it goes on without a word.
            number: Which one, from 1; None: each.
            transaction: In which transaction, from 1; None: in each.
        """
        return replace(self, rules=(*self.rules, Rule(point, deeds, number, transaction)))

    def during_content(self, *deeds: Deed, octets: int = 1, transaction: int | None = None) -> Self:
        """
        Return this script with a rule for the middle of a content, by DATA or BDAT.

        Args:
            *deeds: What the server does.
            octets: Behind how many octets of the content.
            transaction: In which transaction, from 1; None: in each.
        """
        return replace(self, rules=(*self.rules, Rule(None, deeds, None, transaction, octets)))

    def find(self, point: Point | None, number: int, transaction: int) -> Rule | None:
        """
        Return the rule for one moment of a session, if there is any.
        """
        found = [
            rule
            for rule in self.rules
            if rule.point is point and rule.number in {None, number} and rule.transaction in {None, transaction}
        ]
        return max(found, key=lambda rule: (rule.number is not None) + (rule.transaction is not None), default=None)

    def _with(self, statement: str) -> Self:
        if setting := _SETTING.fullmatch(statement):
            return self._with_setting(setting["word"], setting["value"])
        match = _STATEMENT.fullmatch(statement)
        if match is None:
            raise ScriptError(f"this means nothing: {statement!r}")
        if (count := _COUNT.fullmatch(match["deeds"])) and match["point"] == "content" and match["number"] is None:
            return replace(self, content_replies=int(count["count"]))
        point = None if match["during"] else POINTS[match["point"]]
        rule = Rule(point, tuple(parse_deeds(match["deeds"])), _number(match["number"]), _number(match["transaction"]))
        return replace(self, rules=(*self.rules, replace(rule, octets=int(match["octets"] or 1))))

    def _with_setting(self, word: str, value: str) -> Self:
        match word:
            case "offer":
                return replace(self, offers=tuple(offer.strip() for offer in value.split(",") if offer.strip()))
            case "name":
                return replace(self, server_name=value)
            case _:
                if value not in _DIALECTS:
                    raise ScriptError(f"{value!r} is none of {', '.join(_DIALECTS)}")
                return replace(self, dialect=_DIALECTS[value])


def parse_deeds(text: str) -> Iterator[Deed]:
    """
    Yield what a script says is done at a point, such as ``250 2.0.0 Ok; close after 3 s``.

    Raises:
        ScriptError: that can't be done.
    """
    for part in text.split(";"):
        match = _DEED.fullmatch(part.strip())
        if match is None:
            raise ScriptError(f"nothing is done here: {text!r}")
        if match["seconds"]:
            yield Wait(float(match["seconds"]))
        yield from _deed(match["what"])


def _deed(what: str) -> Iterator[Deed]:
    match what.removesuffix(" before the reply"):
        case "close":
            yield Close()
        case "reset":
            yield Reset()
        case "stall":
            yield Stall()
        case "garbage":
            yield Say(GARBAGE)
        case "nothing":
            return
        case _ if quoted := _QUOTED.fullmatch(what):
            yield Say(_ESCAPE.sub(_unescape, quoted["octets"]).encode("latin-1"))
        case _:
            yield Say.reply(what)


def _unescape(match: re.Match[str]) -> str:
    if match["hex"]:
        return chr(int(match["hex"], 16))
    return _LETTERS.get(match["letter"], match["letter"])


def _number(digits: str | None) -> int | None:
    return int(digits) if digits else None
