# SPDX-License-Identifier: Apache-2.0
"""
What `lmtp send` says of each recipient: a table for people, a JSON object a line for programmes, or just what failed.

Not here: colours and the terminal (output.py), what it means for the exit status (send_status.py). Raises nothing.
"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

from lmtp.cli.output import Screen, Style, complain
from lmtp.cli.sending import Sent
from lmtp.protocol.outcome import Deferred, Delivered, Failed, Outcome
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.results import Point, Result

ROWS: Final = 100
"""Messages up to which those delivered have rows; nobody reads more, and a terminal takes 2 ms for each."""

_STYLES: Final = {Delivered: Style.GOOD, Deferred: Style.DOUBTFUL, Failed: Style.BAD}


class Report(Protocol):
    """
    Somebody who is told what became of messages.
    """

    def add(self, sent: Sent) -> None:
        """
        Take what became of one.
        """
        ...

    def end(self) -> None:
        """
        Note that there are no more.
        """
        ...


class Table:
    """
    A line for each recipient, and below them how far it has come; of many messages, for those not delivered.

    Args:
        screen: Where they are shown.
        envelope: Whom the messages are for.
        clock: Returns the time in seconds, from any moment.
    """

    def __init__(self, screen: Screen, envelope: OutgoingEnvelope, clock: Callable[[], float]) -> None:
        self._screen = screen
        self._clock = clock
        self._began = clock()
        self._count = 0
        self._words: Counter[str] = Counter()
        self._width = max(len(shown(str(rcpt.forward_path))) for rcpt in envelope.recipients)

    def add(self, sent: Sent) -> None:
        """
        Count a message and its recipients, and show them if that tells anything.
        """
        self._count += 1
        self._words.update(_word(result.outcome) for result in sent.results)
        self._words["unread"] += bool(sent.why_unread)
        if self._count == ROWS + 1:
            self._screen.line(("what is delivered from here on is only counted", Style.DIM))
        if self._count <= ROWS or sent.why_unread or not all(result.is_delivered for result in sent.results):
            self._show(sent)
        self._screen.progress(self._rate())

    def end(self) -> None:
        """
        Sum up, unless one look tells it all.
        """
        if self._count != 1:
            said = ", ".join(f"{count} {word}" for word, count in sorted(self._words.items()) if count)
            self._screen.line((self._rate(), Style.STRONG), (f": {said}" if said else "", Style.PLAIN))

    def _show(self, sent: Sent) -> None:
        self._screen.line((shown(sent.name), Style.STRONG))
        if sent.why_unread:
            self._screen.line(("  unread     ", Style.BAD), (shown(sent.why_unread), Style.PLAIN))
        for result in sent.results:
            self._show_row(result)

    def _show_row(self, result: Result) -> None:
        where = "" if result.point is Point.CONTENT else f"  ({result.point.value})"
        self._screen.line(
            (f"  {_word(result.outcome):<9}  ", _STYLES[type(result.outcome)]),
            (f"{shown(str(result.forward_path)):<{self._width}}  {shown(_said(result))}", Style.PLAIN),
            (where, Style.DIM),
        )

    def _rate(self) -> str:
        seconds = self._clock() - self._began
        rate = f", {self._count / seconds:.0f} a second" if seconds else ""
        return f"{self._count} messages in {seconds:.1f} s{rate}"


class Lines:
    """
    A JSON object for each recipient of each message, on a line of its own.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def add(self, sent: Sent) -> None:
        """
        Write a message's recipients.
        """
        first: dict[str, Any] = {"number": sent.number, "message": sent.name}
        if sent.why_unread:
            self._write(first | {"outcome": "unread", "text": sent.why_unread})
        for result in sent.results:
            self._write(first | _as_json(result))

    def end(self) -> None:
        """
        Do nothing: every line stands for itself.
        """

    def _write(self, values: dict[str, Any]) -> None:
        self._screen.line((json.dumps(values), Style.PLAIN))


class Failures:
    """
    Just what was not delivered, on standard error: what a mail server puts into its log or its report.
    """

    def add(self, sent: Sent) -> None:
        """
        Complain about those who have not got a message.
        """
        if sent.why_unread:
            complain(shown(f"{sent.name}: {sent.why_unread}"))
        for result in sent.results:
            if not result.is_delivered:
                complain(shown(f"{result.forward_path} {_word(result.outcome)}: {_said(result)}"))

    def end(self) -> None:
        """
        Do nothing: all has been said.
        """


def shown(text: str) -> str:
    """
    Return a text on one line that can do nothing to a terminal: servers and file names may say anything.
    """
    return "".join(character if character.isprintable() else "?" for character in text)


def _word(outcome: Outcome) -> str:
    return type(outcome).__name__.lower()


def _said(result: Result) -> str:
    if result.reply is not None:
        return str(result.reply)
    return f"{result.outcome.status} {_detail(result.outcome)}"


def _detail(outcome: Outcome) -> str:
    return outcome.phrase if isinstance(outcome, Delivered) else outcome.detail


def _as_json(result: Result) -> dict[str, Any]:
    reply = result.reply
    return {
        "recipient": str(result.forward_path)[1:-1],
        "outcome": _word(result.outcome),
        "point": result.point.name.lower(),
        "code": reply.code if reply else None,
        "status": result.outcome.status,
        "text": reply.text if reply else _detail(result.outcome),
    }
