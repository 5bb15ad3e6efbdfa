# SPDX-License-Identifier: Apache-2.0
"""
Many recipients in as few transactions as a server allows.
"""

import pytest

from lmtp.aio.spread import Spread, is_one_too_many
from lmtp.protocol.address import ForwardPath
from lmtp.protocol.outcome import Delivered
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result, outcome_of
from lmtp.protocol.status import EnhancedStatus

BOB = ForwardPath.parse(b"<bob@example.org>")
STORED = Result(BOB, Delivered(), Point.CONTENT, Reply(250, EnhancedStatus("2.0.0"), "stored"))


def result(code, status, point=Point.RCPT):
    reply = Reply(code, EnhancedStatus(status) if status else None, "text")
    return Result(BOB, outcome_of(reply, point), point, reply)


TOO_MANY = result(452, "4.5.3")


class TestSpread:
    def test_asks_for_all_at_once_when_no_limit_is_known(self):
        spread = Spread(3, None, lambda *_: None)

        assert [0, 1, 2] == spread.next_part()
        assert spread.is_whole

    def test_asks_for_no_more_than_the_server_said(self):
        spread = Spread(5, 2, lambda *_: None)

        parts = []
        while part := spread.next_part():
            parts.append(part)
            for number, _ in enumerate(part):
                spread.take(number, STORED)
            spread.end_part()

        assert [[0, 1], [2, 3], [4]] == parts
        assert [STORED] * 5 == spread.results

    def test_asks_again_for_those_who_found_no_room(self):
        told = []
        spread = Spread(3, None, lambda index, _: told.append(index))
        spread.next_part()
        for number, found in enumerate([STORED, TOO_MANY, TOO_MANY]):
            spread.take(number, found)
        spread.end_part()

        assert [1, 2] == spread.next_part()
        assert [0] == told

    def test_does_not_ask_again_when_nobody_got_through(self):
        """
        Else it would ask for ever.
        """
        spread = Spread(2, None, lambda *_: None)
        spread.next_part()
        for number, found in enumerate([result(550, "5.1.1"), TOO_MANY]):
            spread.take(number, found)
        spread.end_part()

        assert [] == spread.next_part()
        assert [result(550, "5.1.1"), TOO_MANY] == spread.results

    def test_takes_a_result_as_final_when_told_to(self):
        spread = Spread(1, None, lambda *_: None)
        spread.next_part()
        spread.take_as_final(0, TOO_MANY)
        spread.end_part()

        assert [] == spread.next_part()
        assert [TOO_MANY] == spread.results


class TestOneTooMany:
    @pytest.mark.guards("SZ-12")
    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            (result(452, "4.5.3"), True),
            (result(452, None), True),
            (result(552, "5.5.3"), True),
            (result(452, "4.2.2"), False),
            (result(451, "4.5.3"), False),
            (result(552, "5.2.2"), False),
            (result(452, "4.5.3", Point.CONTENT), False),
            (STORED, False),
        ],
        ids=str,
    )
    def test_is_told_from_other_refusals(self, found, expected):
        """
        RFC 5321 §4.5.3.1.10: 452 to RCPT, or 552 of old, but not a full mailbox.
        """
        assert expected is is_one_too_many(found)
