# SPDX-License-Identifier: Apache-2.0
"""
A small blocking LMTP client that reads one reply per accepted recipient, which `smtplib.LMTP` does not.

Written from RFC 2033 alone and sharing no code with the server, so that it can be its judge. Any malformed
reply or lost connection raises `ConnectionError`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.peers.process import DEADLINE_SECONDS, connect

_LINE: Final = re.compile(rb"([2-5][0-9]{2})([ -])([^\r\n]*)\r\n")


@dataclass(frozen=True, slots=True)
class Transaction:
    """
    How a server answered one message.
    """

    accepted: tuple[str, ...]
    """The recipients accepted at RCPT, in order."""
    refused: dict[str, str]
    """The replies to the others."""
    replies: dict[str, str]
    """After the content: each accepted recipient's reply."""

    @property
    def delivered(self) -> list[str]:
        """
        Those the server has answered for with a 2yz.
        """
        return [recipient for recipient, reply in self.replies.items() if reply.startswith("2")]


class LmtpClient:
    """
    One session, from the greeting to the end of the ``with`` block.
    """

    def __init__(self, endpoint: Path | int, *, timeout_seconds: float = DEADLINE_SECONDS) -> None:
        self._socket = connect(endpoint, timeout_seconds=timeout_seconds)
        self._file = self._socket.makefile("rb")
        try:
            self.greeting = self.reply()
            self.keywords = self.command("LHLO client.example").split("\n")[1:]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """
        Leave without a word.
        """
        self._file.close()
        self._socket.close()

    def send(self, octets: bytes) -> None:
        """
        Send octets as they are.
        """
        self._socket.sendall(octets)

    def reply(self) -> str:
        """
        Read one reply; its lines are joined by a line feed, the codes of the continued ones dropped.
        """
        texts = []
        while True:
            line = self._file.readline(1024)
            match = _LINE.fullmatch(line)
            if match is None:
                raise ConnectionError(f"no reply: {line!r}")
            texts.append(match[3].decode("ascii"))
            if match[2] == b" ":
                return match[1].decode() + " " + "\n".join(texts)

    def command(self, line: str) -> str:
        """
        Send a command and read its reply.
        """
        self.send(line.encode("ascii") + b"\r\n")
        return self.reply()

    def deliver(self, reverse_path: str, recipients: Sequence[str], content: bytes) -> Transaction:
        """
        Hand over one message, MAIL to DATA in one piece (RFC 2920), and read all that is owed.

        Args:
            reverse_path: The sender's mailbox, without brackets; empty for none.
            recipients: Theirs.
            content: With CRLF line ends, the last line's among them.
        """
        commands = [f"MAIL FROM:<{reverse_path}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients), "DATA"]
        self.send("".join(command + "\r\n" for command in commands).encode("ascii"))
        self.reply()
        answers = {recipient: self.reply() for recipient in recipients}
        accepted = tuple(recipient for recipient, answer in answers.items() if answer.startswith("2"))
        refused = {recipient: answer for recipient, answer in answers.items() if recipient not in accepted}
        if not self.reply().startswith("354"):
            return Transaction(accepted, refused, {})
        self.send(stuffed(content) + b".\r\n")
        return Transaction(accepted, refused, {recipient: self.reply() for recipient in accepted})


def stuffed(content: bytes) -> bytes:
    """
    Double the dot of each line that begins with one (RFC 5321 §4.5.2).
    """
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]
