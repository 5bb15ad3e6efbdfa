# SPDX-License-Identifier: Apache-2.0
"""
A load generator: sessions that deliver one message after the other for a while, and check every reply.

Speaks as Postfix does: MAIL, all RCPTs and DATA in one piece (RFC 2920), then the content, then one reply per
recipient (RFC 2033 §4.2). A process of its own, so that its work is not the server's; it prints one line of JSON.
Raises `UnexpectedReplyError` at the first reply that is not the one a working server gives.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Final, cast

import uvloop

_PATIENCE_SECONDS: Final = 60
"""How long after its time a run may still take; a server that hangs must not hang the benchmark."""
_COPRIME: Final = 617
"""Step from one mailbox to the next: all are visited, neighbours in time are not neighbours on the disk."""


class UnexpectedReplyError(Exception):
    """
    The server did not accept what it was offered.
    """


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What to send, where, for how long.
    """

    endpoint: str
    """The path of a Unix socket, or a port of the loopback."""
    sessions: int
    """How many clients there are."""
    recipients: int
    """How many recipients each message has."""
    size_bytes: int
    """Octets of each message."""
    mailboxes: int
    """Recipients are ``u0@example.org`` up to this number."""
    seconds: float
    """When this time is over, no new transaction is begun."""
    messages: int
    """When so many have been begun, neither."""


@dataclass(slots=True)
class Tally:
    """
    What was done so far.
    """

    begun: int = 0
    """Transactions begun."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from MAIL to the last reply, of each message delivered."""


@dataclass(frozen=True, slots=True)
class Result:
    """
    What came of it.
    """

    messages: int
    """How many were delivered to all their recipients."""
    seconds: float
    """How long it took, connecting not included."""
    p50_ms: float
    """Half of the messages took no longer than this, from MAIL to the last reply."""
    p99_ms: float
    """Ninety-nine of a hundred took no longer."""


class Session(asyncio.Protocol):
    """
    One client: greeting, LHLO, then transactions until the plan is fulfilled.
    """

    def __init__(self, plan: Plan, tally: Tally, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.is_ready: asyncio.Future[None] = loop.create_future()
        self.is_over: asyncio.Future[None] = loop.create_future()
        self._plan = plan
        self._tally = tally
        self._body = body
        self._rest = b""
        self._replies: list[bytes] = []
        self._expected = [b"220"]
        self._then: Callable[[], None] = self._introduce
        self._deadline = 0.0
        self._began_at = 0.0
        self._serial = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Wait for the greeting.
        """
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """
        Fail if the server left before we did.
        """
        self._fail(exc or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """
        Collect replies until all that are owed are there.
        """
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        self._replies += [line[:3] for line in lines if line[3:4] != b"-"]
        if len(self._replies) < len(self._expected):
            return
        replies, self._replies = self._replies, []
        if replies == self._expected:
            self._then()
        else:
            self._fail(UnexpectedReplyError(f"{replies} instead of {self._expected}; the last lines: {lines[-3:]}"))

    def begin(self, deadline: float) -> None:
        """
        Begin the first transaction; new ones follow until this moment of `time.perf_counter`.
        """
        self._deadline = deadline
        self._begin_transaction()

    def _introduce(self) -> None:
        self._send(b"LHLO bench.example\r\n", [b"250"], lambda: self.is_ready.set_result(None))

    def _begin_transaction(self) -> None:
        self._began_at = time.perf_counter()
        if self._began_at >= self._deadline or self._tally.begun >= self._plan.messages:
            self.is_over.set_result(None)
            return
        self._serial = self._tally.begun
        self._tally.begun += 1
        recipients = b"".join(b"RCPT TO:<%b>\r\n" % address for address in self._addresses())
        accepted = [b"250"] * (self._plan.recipients + 1)
        commands = b"MAIL FROM:<bench@example.net>\r\n" + recipients + b"DATA\r\n"
        self._send(commands, [*accepted, b"354"], self._send_content)

    def _send_content(self) -> None:
        head = b"Message-ID: <%d@bench.example>\r\n" % self._serial
        self._send(head + self._body + b".\r\n", [b"250"] * self._plan.recipients, self._end_transaction)

    def _end_transaction(self) -> None:
        self._tally.latencies.append(time.perf_counter() - self._began_at)
        self._begin_transaction()

    def _addresses(self) -> list[bytes]:
        count, mailboxes = self._plan.recipients, self._plan.mailboxes
        first = self._serial * count
        return [b"u%d@example.org" % ((first + index) * _COPRIME % mailboxes) for index in range(count)]

    def _send(self, octets: bytes, expected: list[bytes], then: Callable[[], None]) -> None:
        self._expected, self._then = expected, then
        self._transport.write(octets)

    def _fail(self, error: Exception) -> None:
        for future in (self.is_ready, self.is_over):
            if not future.done():
                future.set_exception(error)


def make_body(size_bytes: int) -> bytes:
    """
    Make the rest of a message of this size, after the Message-ID: a short header section and lines of text.
    """
    head = b"From: bench@example.net\r\nTo: everybody@example.org\r\nSubject: a message of the benchmark\r\n\r\n"
    line = b"The quick brown fox jumps over the lazy dog, and then it does it again.\r\n"
    size = max(0, size_bytes - len(head) - len(b"Message-ID: <12345@bench.example>\r\n"))
    return head + (line * (size // len(line) + 1))[: size - 2] + b"\r\n"


async def _run(plan: Plan) -> Result:
    async with asyncio.timeout(plan.seconds + _PATIENCE_SECONDS):
        return await _deliver(plan)


async def _deliver(plan: Plan) -> Result:
    loop = asyncio.get_running_loop()
    tally, body = Tally(), make_body(plan.size_bytes)
    sessions = []
    for _ in range(plan.sessions):
        if plan.endpoint.isdigit():
            made = await loop.create_connection(lambda: Session(plan, tally, body), "127.0.0.1", int(plan.endpoint))
            sessions.append(made[1])
        else:
            connected = await loop.create_unix_connection(lambda: Session(plan, tally, body), plan.endpoint)
            sessions.append(connected[1])
    await asyncio.gather(*(session.is_ready for session in sessions))
    began_at = time.perf_counter()
    for session in sessions:
        session.begin(began_at + plan.seconds)
    await asyncio.gather(*(session.is_over for session in sessions))
    seconds = time.perf_counter() - began_at
    latencies = sorted(tally.latencies)
    p50, p99 = (latencies[int(len(latencies) * part)] * 1000 for part in (0.5, 0.99))
    return Result(len(latencies), seconds, p50, p99)


def main() -> None:
    """
    Do what the command line says.
    """
    parser = argparse.ArgumentParser(description="Deliver messages by LMTP as fast as a server takes them.")
    parser.add_argument("endpoint", help="path of a Unix socket, or port of the loopback")
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--recipients", type=int, default=1)
    parser.add_argument("--size-bytes", type=int, default=4096)
    parser.add_argument("--mailboxes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--messages", type=int, default=1_000_000_000)
    plan = Plan(**vars(parser.parse_args()))
    print(json.dumps(asdict(uvloop.run(_run(plan)))))


if __name__ == "__main__":
    main()
