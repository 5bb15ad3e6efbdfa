# SPDX-License-Identifier: Apache-2.0
"""
A session with the engine, played by a test: it says lines, hears replies and stands for the programme behind.

It decides recipients and settles them at once, unless it is told to wait for the test. Not here: transports, and
the transcripts of tests/dialogues. Raises AssertionError when what the engine sends is no reply (RFC 5321 §4.2).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from lmtp.protocol import events
from lmtp.protocol.outcome import Accepted, Delivered, Outcome, Verdict
from lmtp.protocol.reply import MAX_CHALLENGE_LINE, MAX_LINE
from lmtp.protocol.sasl import Authenticator, Channel, Exchange
from lmtp.protocol.server import ServerConnection

SERVER_NAME: Final = "store.example"
"""What the engines of the tests call themselves."""

MESSAGE: Final = ("Subject: hi", "", "text", ".")
"""A content as lines."""

TRANSACTION: Final = b"MAIL FROM:<>\r\nRCPT TO:<ann@example>\r\nDATA\r\ntext\r\n.\r\n"
"""A whole transaction in one piece."""

_LINE: Final = re.compile(r"(?P<code>[2-5][0-5][0-9])(?P<continued>[ -])(?P<text>[\t -~]*)")


def read_replies(octets: bytes) -> list[str]:
    r"""
    Cut what a server sent into replies, the lines of each joined by ``\n``; every line must be one RFC 5321 allows.
    """
    lines = octets.decode("ascii").split("\r\n")
    assert "" == lines.pop(), "the last line must be whole"
    replies: list[list[str]] = [[]]
    for line in lines:
        match = _LINE.fullmatch(line)
        assert match is not None, line
        assert len(line) + 2 <= (MAX_CHALLENGE_LINE if match["code"] == "334" else MAX_LINE), line
        assert all(previous[:3] == match["code"] for previous in replies[-1]), replies[-1]
        replies[-1].append(line)
        if match["continued"] == " ":
            replies.append([])
    assert [] == replies.pop(), "the last reply must be whole"
    return ["\n".join(reply) for reply in replies]


class Session:
    """
    An engine, its client and the programme behind it.

    Args:
        verdicts: What is said at RCPT, by address; all others are accepted.
        outcomes: What becomes of the message, by address; all others get it delivered.
        waits: Leave both to the test: see `offered`, `decide` and `settle`.
        authenticator: Who answers AUTH.
        settings: For the `ServerConnection`.
    """

    def __init__(
        self,
        *,
        verdicts: Mapping[str, Verdict] | None = None,
        outcomes: Mapping[str, Outcome] | None = None,
        waits: bool = False,
        authenticator: Authenticator | None = None,
        **settings: Any,
    ) -> None:
        self._verdicts = verdicts or {}
        self._outcomes = outcomes or {}
        self._waits = waits
        self._authenticator = authenticator
        self._exchange: Exchange | None = None
        self.connection = ServerConnection(SERVER_NAME, **settings)
        self.events = []
        self.offered = []
        self.contents = []
        self.greeting = self.hear()

    @classmethod
    def greeted(cls, **settings: Any) -> "Session":
        """
        Begin a session whose client has said who it is.
        """
        session = cls(**settings)
        verb = settings["dialect"].greeting_verb if "dialect" in settings else "LHLO"
        assert ["250"] == codes(session.say(f"{verb} mx.example"))
        return session

    @property
    def has_ended(self) -> bool:
        return any(isinstance(event, events.SessionEnded) for event in self.events)

    def of_type(self, wanted: type) -> list[Any]:
        """
        Return the events of one type.
        """
        return [event for event in self.events if isinstance(event, wanted)]

    def say(self, *lines: str | bytes) -> list[str]:
        """
        Send lines in one piece and return the replies that have come.
        """
        octets = [line.encode("ascii") if isinstance(line, str) else line for line in lines]
        return self.send(b"".join(line + b"\r\n" for line in octets))

    def send(self, octets: bytes) -> list[str]:
        """
        Send octets as they are and return the replies that have come.
        """
        self.connection.receive_data(octets)
        return self.hear()

    def leave(self) -> list[str]:
        """
        Close the client's side and return the replies that have come.
        """
        self.connection.receive_eof()
        return self.hear()

    def decide(self, number: int, verdict: Verdict) -> list[str]:
        """
        Decide the recipient of this number and return the replies that have come.
        """
        self.connection.decide(self.offered[number], verdict)
        return self.hear()

    def settle(self, number: int, outcome: Outcome) -> list[str]:
        """
        Settle the recipient of this number and return the replies that have come.
        """
        self.offered[number].settle(outcome)
        return self.hear()

    def hear(self) -> list[str]:
        """
        Let the engine go on as far as it can and return the replies that have come.
        """
        while happened := self.connection.next_events():
            for event in happened:
                self._act(event)
            self.events += happened
        return read_replies(self.connection.data_to_send())

    def _act(self, event: events.Event) -> None:
        match event:
            case events.AuthenticationStarted(mechanism, response) if self._authenticator:
                self._exchange = self._authenticator.begin(mechanism, Channel())
                self.connection.authenticate(self._exchange.step(response))
            case events.AuthenticationContinued(response) if self._exchange:
                self.connection.authenticate(self._exchange.step(response))
            case events.RecipientOffered(recipient):
                self.offered.append(recipient)
                if not self._waits:
                    verdict = self._verdicts.get(str(recipient.forward_path.mailbox), Accepted())
                    self.connection.decide(recipient, verdict)
            case events.ContentStarted():
                self.contents.append(b"")
            case events.ContentReceived(octets):
                self.contents[-1] += octets
            case events.ContentCompleted(envelope) if not self._waits:
                for recipient in envelope.recipients:
                    recipient.settle(self._outcomes.get(str(recipient.forward_path.mailbox), Delivered()))


def open_content(session: Session, *names: str) -> Session:
    """
    Go on to the 354 with these recipients accepted.
    """
    session.say("MAIL FROM:<sam@example>", *(f"RCPT TO:<{name}@example>" for name in names))
    for number, recipient in enumerate(session.offered):
        if recipient.verdict is None:
            session.decide(number, Accepted())
    assert ["354"] == codes(session.say("DATA"))
    return session


def codes(replies: list[str]) -> list[str]:
    """
    Return the code of each reply.
    """
    return [reply[:3] for reply in replies]


def statuses(replies: list[str]) -> list[str]:
    """
    Return code and enhanced status of each reply.
    """
    return [f"{reply[:3]} {reply[4:].partition(' ')[0]}" for reply in replies]
