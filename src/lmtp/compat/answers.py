# SPDX-License-Identifier: Apache-2.0
"""
Results in the words of smtplib: a code and a text for each recipient, and which exception a whole message is worth.

Called by smtplib.py. Not here: what a reply means (protocol/results.py). RFC 2033 §4.2 and §5.
"""

import smtplib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lmtp.protocol.outcome import CODES, Delivered, Outcome
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result
from lmtp.protocol.status import EnhancedStatus


class Answer(NamedTuple):
    """
    What became of one recipient.
    """

    address: str
    """The recipient, as it was passed."""
    code: int
    """The reply's code: 2yz where the server answers for the message; 451 where no reply came."""
    text: bytes
    """The reply's text, lines with line feeds between them; or what happened instead."""

    @property
    def is_positive(self) -> bool:
        """
        The server has said yes.
        """
        return 200 <= self.code < 300


def no_answer(address: str, why: str) -> Answer:
    """
    Say that the connection was lost before the reply came: try again later (RFC 2033 §5).
    """
    return Answer(address, 451, f"4.4.2 {why}".encode())


def answer_for(address: str, result: Result) -> Answer:
    """
    Say what a result says.
    """
    if result.reply is not None:
        return Answer(address, result.reply.code, text_of(result.reply))
    status = EnhancedStatus(result.outcome.status)
    code = CODES.get(status, 451 if status.category == 4 else 550)
    return Answer(address, code, f"{status} {_detail(result.outcome)}".encode())


def text_of(reply: Reply) -> bytes:
    """
    Return the text of a reply as smtplib does: the enhanced status is part of each line.
    """
    prefix = f"{reply.status} " if reply.status else ""
    return "\n".join((prefix + line).strip() for line in reply.text.split("\n")).encode()


def _detail(outcome: Outcome) -> str:
    return outcome.phrase if isinstance(outcome, Delivered) else outcome.detail


def worst(answers: Iterable[Answer]) -> Answer:
    """
    Return the worst answer: permanent before transient before positive, else the first.
    """
    return max(answers, key=lambda answer: answer.code // 100)


def refused(answers: Sequence[Answer]) -> dict[str, tuple[int, bytes]]:
    """
    Return those who did not get it, by address; of an address that was passed twice the worst answer.
    """
    found: dict[str, Answer] = {}
    for answer in answers:
        if not answer.is_positive:
            found[answer.address] = worst([found.get(answer.address, answer), answer])
    return {address: (answer.code, answer.text) for address, answer in found.items()}


def check_whole(from_addr: str, results: Sequence[Result], answers: Sequence[Answer]) -> None:
    """
    Raise what smtplib raises when a message has failed as a whole, or nothing.

    Args:
        from_addr: The sender, as it was passed.
        results: What the client knows of each recipient the server was asked for.
        answers: The same in smtplib's words.

    Raises:
        SMTPSenderRefused: the server wants no mail from there, or not so much.
        SMTPNotSupportedError: the server can't take such a message, as its offers show.
        SMTPDataError: it wants the content for nobody.
        SMTPServerDisconnected: it has gone without a reply for any recipient.
    """
    if not results or any(answer.is_positive for answer in answers):
        return
    answer, first = worst(answers), results[0]
    if all((result.point, result.outcome) == (first.point, first.outcome) for result in results):
        _check_one_for_all(from_addr, first, answer)
    points = {result.point for result in results}
    if points & {Point.DATA, Point.CHUNK} and Point.CONTENT not in points:
        raise smtplib.SMTPDataError(answer.code, answer.text)


def _check_one_for_all(from_addr: str, result: Result, answer: Answer) -> None:
    if result.reply is None and result.is_deferred:
        raise smtplib.SMTPServerDisconnected(answer.text.decode())
    if result.point is Point.MAIL or (result.point is Point.CLIENT and result.outcome.status == "5.3.4"):
        raise smtplib.SMTPSenderRefused(answer.code, answer.text, from_addr)
    if result.point is Point.CLIENT:
        raise smtplib.SMTPNotSupportedError(answer.text.decode())
