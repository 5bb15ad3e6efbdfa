# SPDX-License-Identifier: Apache-2.0
"""
The client of a transcript, played to a real server.

    dialogue = Dialogue.parse(open("session.txt").read())
    assert dialogue.expected.answers == await converse(dialogue, "unix:/run/lmtp.sock")

It says what stands behind ``C:`` to the letter and waits for as many lines as stand behind ``S:``; settings of the
transcript are for whoever starts the server, `ObedientHandler` does what they say of recipients. Not here: how a
transcript is written (dialogues.py). Raises OSError, and TimeoutError when fewer lines come than are expected.
"""

import asyncio

from lmtp.aio.listeners import TcpEndpoint, parse_endpoint
from lmtp.aio.session import Transaction
from lmtp.protocol.envelope import Recipient
from lmtp.protocol.outcome import Delivered, Verdict
from lmtp.testing.dialogues import Rules, Turn


class ObedientHandler:
    """
    A handler for `lmtp.serve` that does what the rules of a transcript say.
    """

    def __init__(self, rules: Rules) -> None:
        self.delivered: list[tuple[str, bytes]] = []
        """The address and the content of each delivery, as in `Dialogue.delivered`."""
        self._rules = rules

    def verify(self, recipient: Recipient, _transaction: Transaction) -> Verdict:
        """
        Say what the rules say of a recipient.
        """
        return self._rules.verdict(recipient.forward_path)

    async def deliver(self, transaction: Transaction) -> None:
        """
        Keep the content for whom the rules do not forbid it.
        """
        content = transaction.content.read()
        for recipient in transaction.recipients:
            outcome = self._rules.outcome(recipient.forward_path)
            if isinstance(outcome, Delivered):
                self.delivered.append((str(recipient.forward_path.mailbox), content))
            recipient.settle(outcome)


async def converse(
    turns: tuple[Turn, ...], endpoint: str, *, timeout_seconds: float = 10.0
) -> tuple[tuple[str, ...], ...]:
    """
    Connect to a server, say what the client of a transcript says, and return what the server answered, turn by turn.

    Lines that nobody expected are put behind the last turn. Compare it with `Dialogue.expected`.

    Args:
        turns: `Dialogue.turns`.
        endpoint: ``host:port`` or ``unix:/path``.
        timeout_seconds: How long to wait for all the answers to one turn.

    Raises:
        OSError: nobody listens there.
        TimeoutError: an answer did not come; the text says to which turn.
    """
    place = parse_endpoint(endpoint)
    if isinstance(place, TcpEndpoint):
        reader, writer = await asyncio.open_connection(place.host, place.port)
    else:
        reader, writer = await asyncio.open_unix_connection(place.path)
    try:
        return await _play(turns, reader, writer, timeout_seconds)
    finally:
        writer.transport.abort()


async def _play(
    turns: tuple[Turn, ...], reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_seconds: float
) -> tuple[tuple[str, ...], ...]:
    heard: list[list[str]] = []
    for turn in turns:
        writer.write(turn.octets)
        if turn.closes:
            writer.write_eof()
        heard.append(await _lines(reader, turn, timeout_seconds))
    if not turns[-1].closes:
        writer.write_eof()
    heard[-1] += (await reader.read()).decode("utf-8", "backslashreplace").splitlines()
    return tuple(map(tuple, heard))


async def _lines(reader: asyncio.StreamReader, turn: Turn, timeout_seconds: float) -> list[str]:
    lines: list[str] = []
    try:
        async with asyncio.timeout(timeout_seconds):
            while len(lines) < len(turn.answer) and (line := await reader.readline()):
                lines.append(line.decode("utf-8", "backslashreplace").removesuffix("\r\n"))
    except TimeoutError:
        asked = turn.octets[:60]
        raise TimeoutError(f"{len(lines)} of {len(turn.answer)} lines came after {asked!r}") from None
    return lines
