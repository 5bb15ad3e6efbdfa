# SPDX-License-Identifier: Apache-2.0
"""
Scripts: what is written, and the values that come of it.
"""

import pytest

from lmtp.protocol.dialect import SMTP
from lmtp.protocol.results import Point
from lmtp.testing.script import (
    GARBAGE,
    POINTS,
    Close,
    Reset,
    Rule,
    Say,
    Script,
    ScriptError,
    Stall,
    Wait,
    parse_deeds,
)


class TestText:
    def test_of_nothing_is_a_server_that_is_right(self):
        assert Script() == Script.parse("\n# a comment\n\n")

    def test_reads_as_people_say_it(self):
        script = Script.parse("rcpt 2: 452 after 3 s, rcpt 3: close before the reply")

        assert (
            Rule(Point.RCPT, (Wait(3.0), Say(b"452 \r\n")), number=2),
            Rule(Point.RCPT, (Close(),), number=3),
        ) == script.rules

    @pytest.mark.parametrize("word", POINTS)
    def test_knows_each_point(self, word):
        assert (Rule(POINTS[word], (Stall(),)),) == Script.parse(f"{word}: stall").rules

    def test_knows_transactions(self):
        assert (Rule(Point.MAIL, (Reset(),), None, 2),) == Script.parse("transaction 2 mail: reset").rules

    def test_knows_the_middle_of_a_content(self):
        script = Script.parse("during content: close\ntransaction 3 during content at 700: stall")

        assert (Rule(None, (Close(),)), Rule(None, (Stall(),), None, 3, 700)) == script.rules

    def test_keeps_commas_that_are_part_of_a_reply(self):
        assert (Rule(Point.MAIL, (Say(b"451 Later, please\r\n"),)),) == Script.parse("mail: 451 Later, please").rules

    def test_sets_what_the_server_is_like(self):
        script = Script.parse("offer: PIPELINING, SIZE 1000\nname: odd.example\ndialect: SMTP\ncontent: 2 replies")

        assert ("PIPELINING", "SIZE 1000") == script.offers
        assert "odd.example" == script.server_name
        assert SMTP is script.dialect
        assert 2 == script.content_replies

    def test_can_offer_nothing(self):
        assert () == Script.parse("offer:").offers

    def test_counts_one_reply(self):
        assert 1 == Script.parse("content: 1 reply").content_replies

    @pytest.mark.parametrize(
        "text",
        ["hello", "nowhere: close", "mail: ", "mail: explode", "mail: 99 no", "dialect: UUCP", "mail 1: 2 replies"],
    )
    def test_that_means_nothing_is_refused(self, text):
        with pytest.raises(ScriptError):
            Script.parse(text)


class TestDeeds:
    @pytest.mark.parametrize(
        ("text", "deeds"),
        [
            ("250 2.0.0 Ok", [Say(b"250 2.0.0 Ok\r\n")]),
            ("250 a / b / c", [Say(b"250-a\r\n250-b\r\n250 c\r\n")]),
            ("garbage", [Say(GARBAGE)]),
            ("nothing", []),
            ("nothing after 2 seconds", [Wait(2.0)]),
            ("close", [Close()]),
            ("reset before the reply after 0.5s", [Wait(0.5), Reset()]),
            ("250 a; 250 b after 1 second; stall", [Say(b"250 a\r\n"), Wait(1.0), Say(b"250 b\r\n"), Stall()]),
            (r'"250-half\r\n\x41\0\t\"\\"', [Say(b'250-half\r\nA\0\t"\\')]),
        ],
    )
    def test_are_read(self, text, deeds):
        assert deeds == list(parse_deeds(text))

    def test_must_be_something(self):
        with pytest.raises(ScriptError, match="nothing is done"):
            list(parse_deeds("close; "))

    @pytest.mark.parametrize(
        ("octets", "code"),
        [
            (b"250-a\r\n354 go\r\n", 354),
            (b"250\r\n", 250),
            (b"250-half\r\n", 0),
            (b"250 no end", 0),
            (GARBAGE, 0),
            (b"", 0),
        ],
    )
    def test_know_what_they_promise(self, octets, code):
        assert code == Say(octets).code


class TestRules:
    def test_of_values_are_those_of_the_text(self):
        by_text = Script.parse("rcpt 2: close\ntransaction 2 mail: stall\nduring content at 9: reset")
        by_value = (
            Script()
            .at(Point.RCPT, Close(), number=2)
            .at(Point.MAIL, Stall(), transaction=2)
            .during_content(Reset(), octets=9)
        )

        assert by_text == by_value

    def test_that_say_more_exactly_where_count_more(self):
        script = Script.parse("rcpt: close\nrcpt 2: reset\ntransaction 1 rcpt 2: stall")

        assert (Close(),) == script.find(Point.RCPT, 1, 1).deeds
        assert (Reset(),) == script.find(Point.RCPT, 2, 2).deeds
        assert (Stall(),) == script.find(Point.RCPT, 2, 1).deeds

    def test_that_come_first_count_among_equals(self):
        assert (Close(),) == Script.parse("rcpt: close\nrcpt: stall").find(Point.RCPT, 1, 1).deeds

    def test_are_not_found_elsewhere(self):
        assert Script.parse("rcpt 2: close").find(Point.RCPT, 1, 1) is None
