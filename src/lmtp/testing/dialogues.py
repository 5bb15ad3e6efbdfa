# SPDX-License-Identifier: Apache-2.0
r"""
Transcripts of sessions that people can read and machines can play.

`Dialogue.parse` reads one; `play` plays it against an engine; whoever has a socket uses `Dialogue.turns` and
`Dialogue.rules` the same way. Raises `DialogueError` for a transcript that says what cannot be. A transcript is lines:

    # a comment
    covers: LMTP-4.2-3 LMTP-4.2-4               settings come first; this one: ids of the requirements it shows
    dialect: SMTP                               LMTP is the default
    limit message_bytes: 65536                  a field of `Limits`
    allow: NUL                                  a flag of `Leniency`
    offer: CHUNKING SMTPUTF8                    extensions beside the plain ones
    demand: AUTHENTICATION                      a flag of `Demand`
    user ann: secret                            who may authenticate, by PLAIN
    rcpt nobody@example.org: 550 5.1.1          the verdict for an address; others are accepted
    deliver bob@example.org: 452 4.2.2 Full up  the outcome for an address; others get the message

    S: 220 store.example LMTP ready             what the server sends, to the letter
    C: LHLO mx.example                          what the client sends, with CRLF; several lines go in one segment
    C: MAIL FROM:<>\                            a backslash at the end: no CRLF, the next C: goes on from here
    C*3: text                                   the line three times
    C closes                                    the client closes its side
    S closes                                    the session is over

    delivered ann@example.org:                  what was delivered, one block each, in order; no block, no delivery
    | Subject: hi                               a line of the content; |*3: is three of them

In C and | lines ``\r \n \0 \t \\`` and ``\xHH`` stand for octets; an address may be a pattern: ``*@example.org``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, Self, TypeVar

from lmtp.protocol import events, sasl
from lmtp.protocol.address import ForwardPath
from lmtp.protocol.dialect import LMTP, SMTP, Dialect
from lmtp.protocol.extensions import Demand, Offer, check_keywords
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed, Outcome, Refusal, Verdict, reply_for
from lmtp.protocol.server import ServerConnection

SERVER_NAME: Final = "store.example"
"""What the server of a transcript calls itself."""

_T = TypeVar("_T")

PLAIN_EXTENSIONS: Final = frozenset({"PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SIZE", "HELP"})
"""What the server of a transcript offers that says nothing of it."""

_DIALECTS: Final = {"LMTP": LMTP, "SMTP": SMTP}
_LIMITS: Final = {limit.name: limit.name for limit in fields(Limits)}

_SETTING: Final = re.compile(
    r"(?P<word>covers|dialect|allow|offer|demand|user|limit|rcpt|deliver)(?: (?P<about>\S+))?: (?P<value>.+)"
)
_CLIENT: Final = re.compile(r"C(?:\*(?P<times>\d+))?: ?(?P<text>.*)")
_SERVER: Final = re.compile(r"S: (?P<text>[2-5][0-9][0-9][ -].*)")
_DELIVERED: Final = re.compile(r"delivered (?P<address>.+):")
_CONTENT: Final = re.compile(r"\|(?:\*(?P<times>\d+):)? ?(?P<text>.*)")
_REFUSAL: Final = re.compile(r"(?P<code>[45][0-9][0-9]) (?P<status>[45]\.\d+\.\d+)(?: (?P<phrase>.+))?")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))")
_ESCAPED: Final = {"r": "\r", "n": "\n", "0": "\0", "t": "\t", "\\": "\\"}


class DialogueError(ValueError):
    """
    A transcript can't be understood; the message has the line's number.
    """


@dataclass(frozen=True, slots=True)
class Turn:
    """
    What the client sends in one go, and every line the server answers before the client's next turn.
    """

    octets: bytes
    """The client's octets; none in the turn before the greeting."""
    closes: bool
    """The client closes its side behind them."""
    answer: tuple[str, ...]
    """The server's lines, without CRLF."""


@dataclass(frozen=True, slots=True)
class Rules:
    """
    What the programme behind the server decides; addresses are patterns, the first that matches counts.
    """

    verdicts: tuple[tuple[str, Refusal], ...] = ()
    """Who is refused at RCPT."""
    outcomes: tuple[tuple[str, Refusal], ...] = ()
    """Who does not get the message."""
    users: Mapping[str, str] = field(default_factory=dict)
    """Who may authenticate, with the password of each."""

    def verdict(self, forward_path: ForwardPath) -> Verdict:
        """
        Return what is said of a recipient at RCPT.
        """
        return _first(self.verdicts, forward_path) or Accepted()

    def outcome(self, forward_path: ForwardPath) -> Outcome:
        """
        Return what becomes of the message for a recipient.
        """
        return _first(self.outcomes, forward_path) or Delivered()

    def mechanisms(self, _channel: sasl.Channel) -> tuple[str, ...]:
        """
        Return the mechanism there is, if anybody may authenticate; with `begin` the rules are a `sasl.Authenticator`.
        """
        return ("PLAIN",) if self.users else ()

    def begin(self, _mechanism: str, _channel: sasl.Channel) -> "Rules":
        """
        Begin an exchange: the rules are a `sasl.Exchange` as well, for PLAIN has no memory.
        """
        return self

    def step(self, response: bytes | None) -> sasl.Step:
        """
        Look at a response: nothing, a user, a password, with NULs between them (RFC 4616).
        """
        if response is None:
            return sasl.Challenge(b"")
        _, name, password = ([*response.decode("utf-8", "replace").split("\0"), "", ""])[:3]
        return sasl.Authenticated(name) if name and self.users.get(name) == password else sasl.Rejected()


def _first(rows: tuple[tuple[str, Refusal], ...], forward_path: ForwardPath) -> Refusal | None:
    address = str(forward_path.mailbox)
    return next((refusal for pattern, refusal in rows if fnmatchcase(address, pattern)), None)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """
    One transcript.
    """

    name: str
    """What it is called, mostly the name of its file."""
    covers: tuple[str, ...]
    """The requirements it shows, by the ids of whoever keeps a list of them."""
    dialect: Dialect
    """LMTP or SMTP."""
    limits: Limits
    """How much the client may ask."""
    leniency: Leniency
    """Which departures are let pass."""
    offer: Offer
    """What the client is offered."""
    rules: Rules
    """What is decided behind the server."""
    turns: tuple[Turn, ...]
    """Who says what."""
    server_closes: bool
    """The session is over after the last turn."""
    delivered: tuple[tuple[str, bytes], ...]
    """The address and the content of each delivery, in the order of the transactions and of their RCPTs."""

    @classmethod
    def parse(cls, text: str, name: str = "dialogue") -> Self:
        """
        Read a transcript.

        Raises:
            DialogueError: a line means nothing, or stands where it can't.
        """
        reader = _Reader()
        for number, line in enumerate(text.splitlines(), 1):
            try:
                reader.read(line)
            except ValueError as error:
                raise DialogueError(f"{name}, line {number}: {error}") from error
        return cls(
            name=name,
            covers=tuple(reader.covers),
            dialect=reader.dialect,
            limits=Limits(**reader.limits),
            leniency=reader.leniency,
            offer=reader.offer,
            rules=Rules(tuple(reader.verdicts), tuple(reader.outcomes), reader.users),
            turns=tuple(turn.finish() for turn in reader.turns),
            server_closes=reader.server_closes,
            delivered=tuple((address, bytes(content)) for address, content in reader.delivered),
        )

    @property
    def client_octets(self) -> bytes:
        """
        Everything the client sends.
        """
        return b"".join(turn.octets for turn in self.turns)

    @property
    def expected(self) -> "Played":
        """
        What should be seen when it is played.
        """
        return Played(tuple(turn.answer for turn in self.turns), self.server_closes, self.delivered)


def load_dialogues(folder: Path) -> list[Dialogue]:
    """
    Read every transcript of a folder, in the order of their names.

    Raises:
        DialogueError: one of them can't be understood.
        OSError: one of them can't be read.
    """
    return [Dialogue.parse(path.read_text("utf-8"), path.stem) for path in sorted(folder.glob("*.txt"))]


@dataclass(slots=True)
class _TurnBeingRead:
    octets: bytearray = field(default_factory=bytearray)
    closes: bool = False
    answer: list[str] = field(default_factory=list)

    def finish(self) -> Turn:
        return Turn(bytes(self.octets), self.closes, tuple(self.answer))


class _Reader:
    """
    Collects a dialogue line by line; raises ValueError for a line that means nothing.
    """

    def __init__(self) -> None:
        self.covers: list[str] = []
        self.dialect = LMTP
        self.limits: dict[str, int] = {}
        self.leniency = Leniency.NONE
        self.offer = Offer(extensions=PLAIN_EXTENSIONS)
        self.users: dict[str, str] = {}
        self.verdicts: list[tuple[str, Refusal]] = []
        self.outcomes: list[tuple[str, Refusal]] = []
        self.turns = [_TurnBeingRead()]
        self.server_closes = False
        self.delivered: list[tuple[str, bytearray]] = []
        self._readers: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], None]], ...] = (
            (re.compile("(?:#.*)?"), lambda _match: None),
            (_SETTING, self._setting),
            (_CLIENT, self._client),
            (_SERVER, lambda match: self.turns[-1].answer.append(match["text"])),
            (re.compile("C closes"), self._client_closes),
            (re.compile("S closes"), self._server_closes),
            (_DELIVERED, lambda match: self.delivered.append((match["address"], bytearray()))),
            (_CONTENT, self._content),
        )

    def read(self, line: str) -> None:
        for pattern, read in self._readers:
            if match := pattern.fullmatch(line):
                return read(match)
        raise ValueError(f"this means nothing: {line!r}")

    def _setting(self, match: re.Match[str]) -> None:
        about, value = match["about"] or "", match["value"]
        match match["word"]:
            case "covers":
                self.covers += value.split()
            case "dialect":
                self.dialect = _known(_DIALECTS, value)
            case "allow":
                self.leniency |= _known(Leniency.__members__, value)
            case "offer":
                self.offer = replace(self.offer, extensions=self.offer.extensions | set(value.split()))
                check_keywords(self.offer.extensions)
            case "demand":
                self.offer = replace(self.offer, demands=self.offer.demands | _known(Demand.__members__, value))
            case "user":
                self.users[about] = value
                self.offer = replace(self.offer, extensions=self.offer.extensions | {"AUTH"}, mechanisms=("PLAIN",))
            case "limit":
                self.limits |= {_known(_LIMITS, about): int(value)}
                Limits(**self.limits)
            case "rcpt":
                self.verdicts.append((about, parse_refusal(value)))
            case _:
                self.outcomes.append((about, parse_refusal(value)))

    def _client(self, match: re.Match[str]) -> None:
        if self.turns[-1].answer or self.turns[-1].closes:
            self.turns.append(_TurnBeingRead())
        self.turns[-1].octets += _octets(match["text"]) * int(match["times"] or 1)

    def _client_closes(self, _match: re.Match[str]) -> None:
        if self.turns[-1].answer:
            self.turns.append(_TurnBeingRead())
        self.turns[-1].closes = True

    def _server_closes(self, _match: re.Match[str]) -> None:
        self.server_closes = True

    def _content(self, match: re.Match[str]) -> None:
        if not self.delivered:
            raise ValueError("a content needs a line that says to whom it was delivered")
        self.delivered[-1][1].extend(_octets(match["text"]) * int(match["times"] or 1))


def _known(table: Mapping[str, _T], word: str) -> _T:
    if word not in table:
        raise ValueError(f"{word!r} is none of {', '.join(table)}")
    return table[word]


def parse_refusal(text: str) -> Refusal:
    """
    Read a refusal as it is written on the wire: ``452 4.2.2 Full up``.

    Raises:
        ValueError: it is none, or the code is not the one that goes with the status.
    """
    match = _REFUSAL.fullmatch(text)
    if match is None:
        raise ValueError(f"no refusal: {text!r}")
    make = Deferred if match["status"].startswith("4") else Failed
    refusal = make(match["status"], match["phrase"] or "")
    code = reply_for(refusal, "").code
    if code != int(match["code"]):
        raise ValueError(f"{match['status']} goes with {code}, not with {match['code']}")
    return refusal


def _octets(text: str) -> bytes:
    is_whole = not re.search(r"(?<!\\)(?:\\\\)*\\$", text)
    literal = _ESCAPE.sub(_unescape, text if is_whole else text[:-1])
    return literal.encode("latin-1") + (b"\r\n" if is_whole else b"")


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    if match[2] not in _ESCAPED:
        raise ValueError(f"no escape: {match[0]}")
    return _ESCAPED[match[2]]


@dataclass(frozen=True, slots=True)
class Played:
    """
    What was seen when a dialogue was played; compare it with `Dialogue.expected`.
    """

    answers: tuple[tuple[str, ...], ...]
    """The server's lines, turn by turn."""
    server_closed: bool
    """The session was over after the last turn."""
    delivered: tuple[tuple[str, bytes], ...]
    """The address and the content of each delivery."""


Cut = Callable[[int, bytes], Iterable[bytes]]
"""A way to cut what the client sends: called with the number of the turn and its octets, returns the pieces."""


def whole(_turn: int, octets: bytes) -> Iterator[bytes]:
    """
    Cut nothing.
    """
    yield octets


def byte_by_byte(_turn: int, octets: bytes) -> Iterator[bytes]:
    """
    Cut after each octet.
    """
    for octet in octets:
        yield bytes([octet])


def split_at(turn: int, offset: int) -> Cut:
    """
    Cut one turn in two, and no other.
    """

    def cut(number: int, octets: bytes) -> Iterator[bytes]:
        if number == turn:
            yield octets[:offset]
            yield octets[offset:]
        else:
            yield octets

    return cut


def play(dialogue: Dialogue, cut: Cut = whole) -> Played:
    """
    Play a dialogue against an engine, as a client that waits for the answers to a turn before it takes the next.
    """
    player = _EnginePlayer(dialogue)
    answers = [player.take(number, turn, cut) for number, turn in enumerate(dialogue.turns)]
    return Played(tuple(answers), player.has_ended, tuple(player.delivered))


class _EnginePlayer:
    def __init__(self, dialogue: Dialogue) -> None:
        self._rules = dialogue.rules
        self._engine = ServerConnection(
            SERVER_NAME,
            dialect=dialogue.dialect,
            limits=dialogue.limits,
            leniency=dialogue.leniency,
            offer=dialogue.offer,
        )
        self._content = bytearray()
        self.delivered: list[tuple[str, bytes]] = []
        self.has_ended = False

    def take(self, number: int, turn: Turn, cut: Cut) -> tuple[str, ...]:
        for piece in cut(number, turn.octets):
            self._engine.receive_data(piece)
            self._act()
        if turn.closes:
            self._engine.receive_eof()
            self._act()
        return tuple(self._engine.data_to_send().decode("ascii").split("\r\n")[:-1])

    def _act(self) -> None:
        while happened := self._engine.next_events():
            for event in happened:
                self._handle(event)

    def _handle(self, event: events.Event) -> None:
        match event:
            case events.RecipientOffered(recipient):
                self._engine.decide(recipient, self._rules.verdict(recipient.forward_path))
            case events.ContentStarted():
                self._content.clear()
            case events.ContentReceived(octets):
                self._content += octets
            case events.ContentCompleted(envelope):
                for recipient in envelope.recipients:
                    outcome = self._rules.outcome(recipient.forward_path)
                    if isinstance(outcome, Delivered):
                        self.delivered.append((str(recipient.forward_path.mailbox), bytes(self._content)))
                    recipient.settle(outcome)
            case events.AuthenticationStarted(_, response) | events.AuthenticationContinued(response):
                self._engine.authenticate(self._rules.step(response))
            case events.SessionEnded():
                self.has_ended = True
            case _:
                pass
