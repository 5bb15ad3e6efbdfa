# SPDX-License-Identifier: Apache-2.0
"""
A transaction as its client sees it: whose result each reply is (RFC 2033 §4.2).
"""

import pytest

from lmtp.protocol.client_events import ChunkTaken, ContentWanted, RecipientResolved, TransactionEnded
from lmtp.protocol.client_transaction import ClientTransaction
from lmtp.protocol.dialect import Replies
from lmtp.protocol.outcome import Deferred, Failed
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point
from tests.protocol.client_session import outcomes

OK = Reply(250, None, "ok")
NO = Reply(550, None, "no")
LATER = Reply(452, None, "later")
GO = Reply(354, None, "go")


def transaction(count, *, replies=Replies.PER_RECIPIENT, uses_chunks=False):
    """
    Return a transaction whose RCPT commands are on their way, and a list that its events go to.
    """
    told = []
    made = ClientTransaction(OutgoingEnvelope.parse("", *["ann@example"] * count), replies, told.append)
    made.rcpts_owed = count
    made.uses_chunks = uses_chunks
    return made, told


def accepted(count, **settings):
    """
    The same whose content is on its way.
    """
    made, told = transaction(count, **settings)
    made.take(Point.MAIL, 0, OK)
    for index in range(count):
        made.take(Point.RCPT, index, OK)
    if not made.uses_chunks:
        made.take(Point.DATA, 0, GO)
    made.content_is_sent = True
    told.clear()
    return made, told


class TestRcpt:
    def test_decides_only_when_it_is_refused(self):
        made, told = transaction(3)
        for index, reply in enumerate([OK, NO, LATER]):
            made.take(Point.RCPT, index, reply)

        assert (["unknown", "failed 550", "deferred 452"], [0]) == (outcomes(made), made.accepted)
        assert [1, 2] == [event.index for event in told]
        assert [0] == made.undecided

    @pytest.mark.guards("LMTP-4.2-1")
    @pytest.mark.parametrize("code", [250, 251, 252, 299])
    def test_is_accepted_by_any_2yz(self, code):
        made, _ = transaction(1)
        made.take(Point.RCPT, 0, Reply(code, None, ""))

        assert [0] == made.accepted

    def test_that_is_refused_for_all_ends_the_transaction(self):
        made, told = transaction(2)
        for index in range(2):
            made.take(Point.RCPT, index, NO)

        assert made.is_over
        assert made.is_past_content
        assert isinstance(told[-1], TransactionEnded)

    def test_changes_nothing_after_the_end(self):
        made, told = transaction(1)
        made.take(Point.MAIL, 0, NO)
        told.clear()
        made.take(Point.RCPT, 0, OK)

        assert ([], [], ["failed 550"]) == (told, made.accepted, outcomes(made))


class TestMail:
    @pytest.mark.parametrize(("reply", "expected"), [(NO, "failed 550"), (LATER, "deferred 452")])
    def test_decides_for_all_when_it_is_refused(self, reply, expected):
        made, _ = transaction(2)
        made.take(Point.MAIL, 0, reply)

        assert ([expected] * 2, False) == (outcomes(made), made.is_open_at_server)
        assert all(result.point is Point.MAIL for result in made.results)


class TestData:
    def test_wants_the_content_when_somebody_was_accepted(self):
        made, told = transaction(1)
        made.take(Point.RCPT, 0, OK)
        made.take(Point.DATA, 0, GO)

        assert ([ContentWanted(made)], True) == (told, made.takes_content)

    def test_decides_for_the_accepted_when_it_is_refused(self):
        made, _ = transaction(2)
        made.take(Point.RCPT, 0, NO)
        made.take(Point.RCPT, 1, OK)
        made.take(Point.DATA, 0, LATER)

        assert ["failed 550", "deferred 452"] == outcomes(made)

    @pytest.mark.guards("PL-5")
    def test_for_nobody_wants_no_content(self):
        made, told = transaction(1)
        made.take(Point.RCPT, 0, NO)
        told.clear()
        made.take(Point.DATA, 0, GO)

        assert ([], False) == (told, made.takes_content)


class TestChunks:
    @pytest.mark.guards("LMTP-4.3-6")
    def test_are_wanted_when_the_last_rcpt_is_answered(self):
        made, told = transaction(3, uses_chunks=True)
        made.take(Point.RCPT, 0, OK)
        made.take(Point.RCPT, 1, OK)

        assert [] == told
        made.take(Point.RCPT, 2, NO)
        assert ContentWanted(made) == told[-1]

    @pytest.mark.guards("LMTP-4.3-6")
    def test_are_not_wanted_for_nobody(self):
        made, _ = transaction(1, uses_chunks=True)
        made.take(Point.RCPT, 0, NO)

        assert not made.content_is_wanted

    def test_that_are_taken_are_told_until_one_is_refused(self):
        made, told = transaction(1, uses_chunks=True)
        made.take(Point.RCPT, 0, OK)
        made.chunks_owed = 3
        told.clear()
        for reply in (OK, LATER, OK):
            made.take(Point.CHUNK, 0, reply)

        assert [ChunkTaken, RecipientResolved, TransactionEnded] == [type(event) for event in told]
        assert (["deferred 452"], 0) == (outcomes(made), made.chunks_owed)


class TestContent:
    @pytest.mark.guards("LMTP-4.2-13", "T05", "T09")
    def test_is_answered_for_each_by_the_number_of_the_reply(self):
        made, told = accepted(3)
        for index, reply in zip(made.replies_to_content, [OK, LATER, NO], strict=True):
            made.take(Point.CONTENT, index, reply)

        assert ["delivered 250", "deferred 452", "failed 550"] == outcomes(made)
        assert [0, 1, 2] == [event.index for event in told if isinstance(event, RecipientResolved)]

    def test_is_answered_once_for_all_in_smtp(self):
        made, _ = accepted(3, replies=Replies.PER_MESSAGE)

        assert [0] == made.replies_to_content
        made.take(Point.CONTENT, 0, OK)
        assert ["delivered 250"] * 3 == outcomes(made)

    @pytest.mark.parametrize(
        ("count", "replies", "uses_chunks", "is_once", "notices"),
        [
            (1, Replies.PER_RECIPIENT, False, True, True),
            (1, Replies.PER_RECIPIENT, True, True, False),
            (2, Replies.PER_RECIPIENT, False, False, False),
            (2, Replies.PER_MESSAGE, False, True, False),
        ],
    )
    def test_says_what_may_follow_it(self, count, replies, uses_chunks, is_once, notices):
        made, _ = transaction(count, replies=replies, uses_chunks=uses_chunks)

        assert (is_once, notices) == (made.is_answered_once, made.notices_surplus)


class TestEnd:
    @pytest.mark.guards("LMTP-4.2-12", "T13", "T58")
    def test_leaves_to_those_who_have_a_result_theirs(self):
        made, _ = accepted(3)
        made.take(Point.CONTENT, 0, OK)
        made.take(Point.CONTENT, 1, NO)
        made.give_up(Deferred("4.4.2"), Point.CONTENT)

        assert ["delivered 250", "failed 550", "deferred"] == outcomes(made)

    def test_says_how_many_replies_had_come(self):
        made, _ = accepted(3)
        made.take(Point.CONTENT, 0, OK)
        made.take(Point.CONTENT, 1, OK)

        assert "2 of 3 replies came, then it broke" == made.progress_until("it broke")
        made.take(Point.CONTENT, 2, OK)
        assert "it broke" == made.progress_until("it broke")

    def test_counts_one_reply_in_smtp(self):
        made, _ = accepted(3, replies=Replies.PER_MESSAGE)

        assert "0 of 1 replies came, then it broke" == made.progress_until("it broke")

    def test_says_nothing_of_replies_before_the_content_is_sent(self):
        made, _ = transaction(3)

        assert "it broke" == made.progress_until("it broke")

    def test_is_there_at_once_without_recipients(self):
        made, told = transaction(0)

        assert (True, []) == (made.is_over, told)

    def test_of_one_that_was_decided_here_is_told_by_no_event(self):
        made, told = transaction(1)
        made.decide(0, Failed("5.3.4"))

        assert (["failed"], [], True) == (outcomes(made), told, made.is_over)
        assert Point.CLIENT is made.results[0].point
