# SPDX-License-Identifier: Apache-2.0
"""
What `lmtp send` says of recipients: to people, to programmes, and to logs.
"""

import json

import pytest

from lmtp.cli.output import CountingScreen
from lmtp.cli.send_reports import Failures, Lines, Table, shown
from lmtp.cli.sending import Sent
from lmtp.protocol.address import ForwardPath
from lmtp.protocol.outcome import Delivered
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result, lost, outcome_of
from lmtp.protocol.status import EnhancedStatus

ENVELOPE = OutgoingEnvelope.parse("", "ann@example.org", "benjamin@example.org")


def result(text, code, status, words, point=Point.CONTENT):
    reply = Reply(code, EnhancedStatus(status), words)
    return Result(ForwardPath.parse(f"<{text}>".encode()), outcome_of(reply, point), point, reply)


DELIVERED = result("ann@example.org", 250, "2.0.0", "Stored")
REFUSED = result("benjamin@example.org", 550, "5.1.1", "Nobody\nhere\x1b[2J", Point.RCPT)
LOST = Result(ForwardPath.parse(b"<benjamin@example.org>"), lost("1 of 2 replies came"), Point.CONTENT)
PLAIN = Result(ForwardPath.parse(b"<ann@example.org>"), Delivered(), Point.CONTENT)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def table(clock):
    return Table(CountingScreen(None), ENVELOPE, clock)


class TestTable:
    def test_has_a_row_for_each_recipient(self, table, capsys):
        table.add(Sent(1, "a.eml", [DELIVERED, REFUSED]))
        table.end()

        assert (
            "a.eml\n"
            "  delivered  <ann@example.org>       250 2.0.0 Stored\n"
            "  failed     <benjamin@example.org>  550 5.1.1 Nobody here?[2J  (the reply to RCPT)\n"
        ) == capsys.readouterr().out

    def test_says_why_there_is_no_reply(self, table, capsys):
        table.add(Sent(1, "a.eml", [PLAIN, LOST]))

        out = capsys.readouterr().out
        assert "  delivered  <ann@example.org>       2.0.0 Delivered\n" in out
        assert "  deferred   <benjamin@example.org>  4.4.2 1 of 2 replies came\n" in out

    def test_sums_up_more_than_one_message(self, table, clock, capsys):
        table.add(Sent(1, "a.eml", [DELIVERED, REFUSED]))
        table.add(Sent(2, "b.eml", why_unread="it is empty"))
        clock.now += 0.5
        table.end()

        out = capsys.readouterr().out
        assert "b.eml\n  unread     it is empty\n" in out
        assert "2 messages in 0.5 s, 4 a second: 1 delivered, 1 failed, 1 unread" == out.splitlines()[-1]

    def test_has_rows_of_the_first_hundred_and_then_of_those_not_delivered(self, table, capsys):
        for number in range(1, 201):
            table.add(Sent(number, f"m{number}", [DELIVERED, REFUSED if number == 150 else DELIVERED]))
        table.end()

        lines = capsys.readouterr().out.splitlines()
        assert [*(f"m{number}" for number in range(1, 101)), "m150"] == [line for line in lines if line[0] == "m"]
        assert "what is delivered from here on is only counted" == lines[300]
        assert lines[-1].endswith(": 399 delivered, 1 failed")

    def test_says_that_there_was_nothing(self, table, capsys):
        table.end()

        assert "0 messages in 0.0 s\n" == capsys.readouterr().out


class TestLines:
    def test_have_an_object_for_each_recipient(self, capsys):
        lines = Lines(CountingScreen(None))
        lines.add(Sent(3, "box #3", [DELIVERED, LOST]))
        lines.end()

        assert [
            {
                "number": 3, "message": "box #3", "recipient": "ann@example.org", "outcome": "delivered",
                "point": "content", "code": 250, "status": "2.0.0", "text": "Stored",
            },
            {
                "number": 3, "message": "box #3", "recipient": "benjamin@example.org", "outcome": "deferred",
                "point": "content", "code": None, "status": "4.4.2", "text": "1 of 2 replies came",
            },
        ] == [json.loads(line) for line in capsys.readouterr().out.splitlines()]  # fmt: skip

    def test_have_one_for_what_could_not_be_read(self, capsys):
        Lines(CountingScreen(None)).add(Sent(1, "a.eml", why_unread="it is empty"))

        assert {"number": 1, "message": "a.eml", "outcome": "unread", "text": "it is empty"} == json.loads(
            capsys.readouterr().out
        )


class TestFailures:
    def test_are_all_that_is_said(self, capsys):
        failures = Failures()
        failures.add(Sent(1, "a.eml", [DELIVERED, REFUSED]))
        failures.add(Sent(2, "b.eml", why_unread="it is empty"))
        failures.end()

        captured = capsys.readouterr()
        assert "" == captured.out
        assert [
            "lmtp: <benjamin@example.org> failed: 550 5.1.1 Nobody here?[2J",
            "lmtp: b.eml: it is empty",
        ] == captured.err.splitlines()


class TestShown:
    @pytest.mark.parametrize(("text", "expected"), [("aé b", "aé b"), ("\x1b]0;x\x07\n\udcff", "?]0;x???")])
    def test_has_nothing_a_terminal_would_act_on(self, text, expected):
        assert expected == shown(text)
