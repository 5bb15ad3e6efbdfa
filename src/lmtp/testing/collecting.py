# SPDX-License-Identifier: Apache-2.0
"""
A real server that keeps what it gets, and refuses whom it is told to refuse: what the tests of a sender need.

    async with collecting_server() as server:
        server.refuse("bob@example.org", "452 4.2.2 Full")
        ...  # send something to server.endpoint
        [message] = server.messages

It is `lmtp.serve` with a handler: what it takes is what the standards allow. One that misbehaves is made by
script_server.py. Everything here may be called from any thread. Not here: the fixtures (pytest_plugin.py).
"""

import email
import email.policy
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from fnmatch import fnmatchcase
from typing import Final

from lmtp.aio.listeners import TcpEndpoint, parse_endpoint
from lmtp.aio.server import ServerSettings, serve
from lmtp.aio.session import Transaction
from lmtp.aio.tls import ServerTls
from lmtp.protocol.address import ForwardPath
from lmtp.protocol.envelope import Recipient
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed, Refusal, Verdict
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.sasl import Authenticator
from lmtp.testing.dialogues import parse_refusal

SERVER_NAME: Final = "localhost"
"""What the server calls itself; its real name would have to be looked up."""

_PATIENCE_SECONDS: Final = 1.0
"""How long clients that are still there at the end may take to read that it is the end."""


@dataclass(frozen=True, slots=True)
class CollectedMessage:
    """
    One message as it came in.
    """

    envelope: OutgoingEnvelope
    """Whom it is from, and for whom it was taken: those who were refused, before or after it, are not here."""
    content: bytes
    """The octets, with CRLF, without the dots of the transport."""

    @property
    def reverse_path(self) -> str:
        """
        Whom failures are reported to, without brackets; empty for the null reverse-path.
        """
        return str(self.envelope.reverse_path)[1:-1]

    @property
    def recipients(self) -> list[str]:
        """
        For whom it was taken, without brackets, in the order of the RCPT commands.
        """
        return [str(rcpt.forward_path)[1:-1] for rcpt in self.envelope.recipients]

    @property
    def email(self) -> EmailMessage:
        """
        The message, parsed.
        """
        return email.message_from_bytes(self.content, policy=email.policy.default)


class CollectingServer:
    """
    Takes everything, but for those it has been told about; `collecting_server` makes one that listens.
    """

    def __init__(self) -> None:
        self.endpoint = ""
        """Where it listens: ``127.0.0.1:40213``, as `lmtp.connect` wants it."""
        self._messages: list[CollectedMessage] = []
        self._refused: dict[str, Refusal] = {}
        self._failing: dict[str, Refusal] = {}
        self._changed = threading.Condition()

    # What a test reads and says

    @property
    def host(self) -> str:
        """
        The address it listens at.

        Raises:
            ValueError: it listens at a Unix socket.
        """
        return self._tcp.host

    @property
    def port(self) -> int:
        """
        The port it listens at.

        Raises:
            ValueError: it listens at a Unix socket.
        """
        return self._tcp.port

    @property
    def _tcp(self) -> TcpEndpoint:
        endpoint = parse_endpoint(self.endpoint)
        if isinstance(endpoint, TcpEndpoint):
            return endpoint
        raise ValueError(f"{endpoint} has no host and no port")

    @property
    def messages(self) -> list[CollectedMessage]:
        """
        What came in, in the order in which it was answered.
        """
        with self._changed:
            return list(self._messages)

    def refuse(self, address: str, reply: str | Refusal) -> None:
        """
        Refuse a recipient at RCPT from now on.

        Args:
            address: An address without brackets, or a pattern such as ``*@example.org``; the one named last counts.
            reply: A reply as text, ``452 4.2.2 Full``, or an outcome.

        Raises:
            ValueError: this is no refusal, or the code does not go with the status.
        """
        self._instruct(self._refused, address, reply)

    def fail(self, address: str, reply: str | Refusal) -> None:
        """
        Accept a recipient at RCPT, and refuse the message for it after the content (RFC 2033 §4.2) from now on.

        Args:
            address: An address without brackets, or a pattern such as ``*@example.org``; the one named last counts.
            reply: A reply as text, ``452 4.2.2 Full``, or an outcome.

        Raises:
            ValueError: this is no refusal, or the code does not go with the status.
        """
        self._instruct(self._failing, address, reply)

    def _instruct(self, instructions: dict[str, Refusal], address: str, reply: str | Refusal) -> None:
        refusal = reply if isinstance(reply, Deferred | Failed) else parse_refusal(reply)
        with self._changed:
            instructions.pop(address, None)
            instructions[address] = refusal

    def clear(self) -> None:
        """
        Forget the messages, and what was said of recipients.
        """
        with self._changed:
            self._messages.clear()
            self._refused.clear()
            self._failing.clear()

    def wait_for(self, count: int = 1, timeout_seconds: float = 5.0) -> list[CollectedMessage]:
        """
        Wait until so many messages have come, and return all that have.

        It blocks: in an asynchronous test write ``await asyncio.to_thread(server.wait_for, 2)``. Who has seen the
        replies need not wait, for a message is there before its first reply.

        Raises:
            TimeoutError: they have not come.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._messages) >= count, timeout_seconds):
                raise TimeoutError(f"{len(self._messages)} of {count} messages came in {timeout_seconds} seconds")
            return list(self._messages)

    # What the server asks: it is a `Handler` that `VerifiesRecipients`

    def verify(self, recipient: Recipient, _transaction: Transaction) -> Verdict:
        """
        Say whether a recipient may have a message.
        """
        return self._find(self._refused, recipient.forward_path) or Accepted()

    async def deliver(self, transaction: Transaction) -> None:
        """
        Keep a message for those who get it.
        """
        recipients = transaction.recipients
        refusals = [self._find(self._failing, recipient.forward_path) for recipient in recipients]
        taken = [index for index, refusal in enumerate(refusals) if refusal is None]
        if taken:
            envelope = OutgoingEnvelope.relay(transaction.envelope).only(taken)
            self._keep(CollectedMessage(envelope, transaction.content.read()))
        for recipient, refusal in zip(recipients, refusals, strict=True):
            recipient.settle(refusal or Delivered())

    def _keep(self, message: CollectedMessage) -> None:
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def _find(self, instructions: dict[str, Refusal], forward_path: ForwardPath) -> Refusal | None:
        address = str(forward_path.mailbox)
        with self._changed:
            rows = reversed(instructions.items())
            return next((refusal for pattern, refusal in rows if fnmatchcase(address, pattern)), None)


@asynccontextmanager
async def collecting_server(
    endpoint: str = "127.0.0.1:0",
    *,
    settings: ServerSettings | None = None,
    tls: ServerTls | None = None,
    authenticator: Authenticator | None = None,
) -> AsyncIterator[CollectingServer]:
    """
    Serve while the body runs; what is still going on at its end is answered 421.

    Args:
        endpoint: Where; by default at a port of the loopback the system chooses.
        settings: Limits, extensions, deadlines; sensible ones by default.
        tls: A certificate: STARTTLS is offered.
        authenticator: Who checks credentials: AUTH is offered.

    Raises:
        ValueError: the endpoint is none.
        OSError: it can't be opened.
    """
    settings = settings or ServerSettings(server_name=SERVER_NAME)
    collecting = CollectingServer()
    async with serve(collecting, endpoint, settings=settings, tls=tls, authenticator=authenticator) as server:
        [collecting.endpoint] = server.endpoints
        try:
            yield collecting
        finally:
            await server.stop(_PATIENCE_SECONDS)
