# SPDX-License-Identifier: Apache-2.0
"""
A session with the client's engine, played by a test that is the server: it hears lines and says replies.

A content that is wanted is sent at once, unless the test has it wait. `play` reads a dialogue as people write them:

    S: 250 2.1.0 ok
    C: DATA

Lines of S are said in one piece, as far as no C stands between; all of C must be what was sent, and nothing else.
"""

from typing import Any, Final

from lmtp.protocol.client import ClientConnection
from lmtp.protocol.client_events import ClientEvent, ContentWanted
from lmtp.protocol.client_transaction import ClientTransaction
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.parameters import MailParameters

CLIENT_NAME: Final = "mx.example"
"""What the engines of the tests call themselves."""
USUAL: Final = ("PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME")
"""What most servers offer."""
CONTENT: Final = b"Subject: hi\r\n\r\ntext\r\n"
"""A content."""


class ClientSession:
    """
    A client's engine, and the programme that uses it.

    Args:
        settings: For the `ClientConnection`.
    """

    def __init__(self, **settings: Any) -> None:
        self.connection = ClientConnection(CLIENT_NAME, **settings)
        self.contents: dict[ClientTransaction, bytes | None] = {}
        self.events: list[ClientEvent] = []

    @classmethod
    def greeted(cls, *keywords: str, **settings: Any) -> "ClientSession":
        """
        Begin a session with a server that offers this.
        """
        session = cls(**settings)
        session.hear("220 store.example LMTP")
        session.connection.greet()
        session.said()
        session.hear(*(f"250-{line}" for line in ("store.example", *keywords)), "250 HELP")
        return session

    def begin(
        self,
        *forward_paths: str,
        sender: str = "sam@example",
        content: bytes | None = CONTENT,
        size_bytes: int | None = None,
        parameters: MailParameters | None = None,
    ) -> ClientTransaction:
        """
        Begin a transaction; a content that is None waits for the test.
        """
        envelope = OutgoingEnvelope.parse(sender, *forward_paths, parameters=parameters)
        transaction = self.connection.begin(envelope, size_bytes)
        self.contents[transaction] = content
        return transaction

    def hear(self, *lines: str) -> list[ClientEvent]:
        """
        Hear lines in one piece; return what happened.
        """
        return self.receive("".join(f"{line}\r\n" for line in lines).encode())

    def receive(self, octets: bytes) -> list[ClientEvent]:
        """
        Hear octets; return what happened.
        """
        return self.act(self.connection.receive_data(octets))

    def close(self) -> list[ClientEvent]:
        """
        Hear that the server has closed; return what happened.
        """
        return self.act(self.connection.receive_eof())

    def act(self, events: list[ClientEvent]) -> list[ClientEvent]:
        """
        Note what happened, and send what is wanted.
        """
        self.events += events
        for event in events:
            if isinstance(event, ContentWanted) and (content := self.contents[event.transaction]) is not None:
                self.connection.send_content(content, is_last=True)
        return events

    def said(self) -> list[str]:
        """
        Return the lines that were sent since the last time.
        """
        *lines, rest = self.connection.data_to_send().decode().split("\r\n")
        assert "" == rest, "the last line must be whole"
        return lines

    def play(self, dialogue: str) -> None:
        """
        Play a dialogue to its end.
        """
        lines = [line.strip() for line in dialogue.strip().splitlines()]
        heard: list[str] = []
        expected: list[str] = []
        for line in [*lines, ""]:
            who, text = line[:2], line[3:]
            if heard and who != "S:":
                self.hear(*heard)
                heard = []
            if expected and who != "C:":
                assert expected == self.said()
                expected = []
            if who == "S:":
                heard.append(text)
            elif line:
                assert who == "C:", line
                expected.append(text)
        assert [] == self.said()

    def of_type(self, wanted: type) -> list[Any]:
        """
        Return the events of one type.
        """
        return [event for event in self.events if isinstance(event, wanted)]


def outcomes(transaction: ClientTransaction) -> list[str]:
    """
    Return what became of each recipient: ``delivered 250``, ``deferred`` without a reply, and so on.
    """
    return [_outcome(result) for result in transaction.results]


def _outcome(result: Any) -> str:
    if result is None:
        return "unknown"
    name = type(result.outcome).__name__.lower()
    return f"{name} {result.reply.code}" if result.reply else name
