# SPDX-License-Identifier: Apache-2.0
"""
What other clients got wrong, each guarded by a test; the docstrings say which kind of client fell into it.

Traps that concern one module have their guards in its tests: line ends and dots in test_stuffing.py, addresses and
parameters in test_requests.py, endings in test_client.py and test_client_cuts.py.
"""

import pytest

from lmtp.protocol.client_events import RecipientResolved
from tests.protocol.client_session import USUAL, ClientSession, outcomes


@pytest.fixture
def session():
    return ClientSession.greeted(*USUAL)


def sent(session, *names, refused=()):
    """
    Return a transaction whose content is on its way.
    """
    transaction = session.begin(*(f"{name}@example" for name in names))
    session.hear("250 ok", *("550 no" if index in refused else "250 ok" for index in range(len(names))), "354 go")
    session.said()
    return transaction


class TestCountOfReplies:
    """
    RFC 2033 §4.2: one for each accepted RCPT, in their order.
    """

    @pytest.mark.guards("T01")
    def test_replies_left_over_are_nobody_elses(self, session):
        """
        A client that reads one reply after the content takes the second recipient's for that to its next RSET or MAIL.
        """
        first = sent(session, "ann", "bob")
        second = session.begin("cyd@example")

        assert [] == session.said()
        session.hear("250 2.0.0 ok")
        assert (["delivered 250", "unknown"], []) == (outcomes(first), session.said())
        session.hear("552 5.2.2 full")
        assert (["delivered 250", "failed 552"], ["unknown"]) == (outcomes(first), outcomes(second))
        assert "MAIL FROM:<sam@example>" == session.said()[0]

    @pytest.mark.guards("T04")
    def test_recipients_are_forgotten_after_the_last_reply(self, session):
        """
        A list that is not cleared waits for replies of the last transaction, and books this one's for its recipients.
        """
        first = sent(session, "ann", "bob")
        session.hear("250 ok", "250 ok")
        second = sent(session, "cyd")
        session.hear("452 4.2.2 full")

        assert (["delivered 250"] * 2, ["deferred 452"]) == (outcomes(first), outcomes(second))
        assert session.connection.is_idle

    @pytest.mark.guards("T05", "LMTP-4.2-13", "LMTP-4.2-5")
    def test_two_replies_for_one_address_stay_two(self, session):
        """
        Results kept by address collapse.
        """
        transaction = sent(session, "ann", "ann")
        session.hear("250 ok", "452 4.2.2 full")

        assert ["delivered 250", "deferred 452"] == outcomes(transaction)

    @pytest.mark.guards("T09")
    @pytest.mark.parametrize(
        ("refused", "replies", "expected"),
        [
            ((), ["250", "550"], ["delivered 250", "failed 550"]),
            ((), ["250", "452", "250"], ["delivered 250", "deferred 452", "delivered 250"]),
            ((0,), ["250", "452"], ["failed 550", "delivered 250", "deferred 452"]),
        ],
    )
    def test_failing_reply_is_about_the_recipient_of_its_number(self, session, refused, replies, expected):
        """
        A client that took failures off the front of its list bounced what was delivered, and lost what was not.
        """
        transaction = sent(session, *["ann", "bob", "cyd"][: len(expected)], refused=refused)
        session.hear(*replies)

        assert expected == outcomes(transaction)

    @pytest.mark.guards("T10")
    def test_refused_recipient_keeps_nobody_else_from_theirs(self, session):
        """
        A delivery agent aborted everything at the first refused RCPT, and left after the first reply.
        """
        transaction = sent(session, "ann", "nobody", "bob", refused=(1,))
        session.connection.quit()
        session.hear("250 ok")

        assert (["delivered 250", "failed 550", "unknown"], []) == (outcomes(transaction), session.said())
        session.hear("250 ok")
        assert (["delivered 250", "failed 550", "delivered 250"], ["QUIT"]) == (outcomes(transaction), session.said())

    @pytest.mark.guards("T14")
    def test_nobody_has_to_say_how_many_replies_there_will_be(self, session):
        """
        A library wanted an array of the right size, and hung when it was not.
        """
        transaction = sent(session, "ann", "bob", "cyd", refused=(2,))
        session.hear("250 ok", "250 ok")

        assert transaction.is_over
        assert session.connection.awaits is None

    @pytest.mark.guards("T15")
    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_lhlo_is_more_than_another_word_for_ehlo(self, session, count):
        """
        Clients made out of SMTP ones work with one recipient and hang with two.
        """
        transaction = sent(session, *["ann"] * count)
        session.hear(*["250 ok"] * count)

        assert ["delivered 250"] * count == outcomes(transaction)

    @pytest.mark.guards("T13", "LMTP-4.2-11")
    def test_results_are_told_one_by_one(self, session):
        """
        A client that waits for all replies forgets those that came when one does not.
        """
        sent(session, "ann", "bob")
        session.receive(b"250 ok\r\n25")

        assert [0] == [event.index for event in session.of_type(RecipientResolved)]


class TestOffers:
    @pytest.mark.guards("T32")
    def test_are_those_of_this_session_alone(self):
        """
        A list that was kept from the last connection promised what this server does not do.
        """
        ClientSession.greeted("PIPELINING", "CHUNKING", "SIZE 1000")
        session = ClientSession.greeted()
        session.begin("ann@example", size_bytes=5)

        assert ["MAIL FROM:<sam@example>"] == session.said()
