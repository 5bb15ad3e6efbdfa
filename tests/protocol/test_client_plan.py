# SPDX-License-Identifier: Apache-2.0
"""
The order of commands and replies (RFC 2920 §3.1).
"""

import pytest

from lmtp.protocol.client_plan import Owed, Plan
from lmtp.protocol.client_transaction import ClientTransaction
from lmtp.protocol.dialect import Replies
from lmtp.protocol.outcome import Failed
from lmtp.protocol.outgoing import OutgoingEnvelope
from lmtp.protocol.results import Point


@pytest.fixture
def plan():
    """
    A plan whose greeting has come.
    """
    plan = Plan()
    plan.owed.clear()
    return plan


def transaction(*recipients):
    return ClientTransaction(OutgoingEnvelope.parse("", *recipients), Replies.PER_RECIPIENT, lambda _: None)


def add(plan, *points, of=None):
    """
    Add commands that are called what they are.
    """
    for point in points:
        plan.add(f"{point.name} ".encode(), Owed(point, of))
    plan.proceed()


class TestPlan:
    def test_begins_with_the_greeting(self):
        plan = Plan()
        add(plan, Point.LHLO)

        assert (Point.GREETING, b"") == (plan.awaits, plan.take_octets())

    @pytest.mark.guards("PL-2")
    @pytest.mark.parametrize("last", [Point.LHLO, Point.DATA, Point.VRFY, Point.QUIT, Point.NOOP, Point.STARTTLS])
    def test_sends_a_group_up_to_what_must_be_its_last(self, plan, last):
        plan.pipelines = True
        add(plan, Point.RSET, Point.XFORWARD, Point.MAIL, Point.RCPT, last, Point.RSET)

        assert f"RSET XFORWARD MAIL RCPT {last.name} ".encode() == plan.take_octets()

    def test_sends_one_by_one_without_pipelining(self, plan):
        add(plan, Point.MAIL, Point.RCPT)

        assert (b"MAIL ", b"") == (plan.take_octets(), plan.take_octets())
        plan.owed.clear()
        plan.proceed()
        assert (b"RCPT ", False) == (plan.take_octets(), plan.is_idle)
        plan.owed.clear()
        assert plan.is_idle

    def test_sends_nothing_of_a_transaction_that_is_over(self, plan):
        over, other = transaction("ann@x"), transaction("bob@x")
        over.decide(0, Failed())
        add(plan, Point.MAIL, Point.RCPT, Point.DATA, of=over)
        plan.wait_for_content(over)
        add(plan, Point.RSET, of=over)

        assert b"RSET " == plan.take_octets()
        add(plan, Point.MAIL, of=other)
        assert [over, other] == plan.transactions

    def test_lets_nothing_pass_a_content(self, plan):
        first = transaction("ann@x")
        plan.pipelines = True
        add(plan, Point.RCPT, of=first)
        plan.wait_for_content(first)
        add(plan, Point.NOOP)
        plan.owed.clear()
        plan.proceed()

        assert b"RCPT " == plan.take_octets()
        first.content_is_sent = True
        plan.proceed()
        assert b"NOOP " == plan.take_octets()

    def test_forgets_what_waits_or_all(self, plan):
        add(plan, Point.NOOP, Point.QUIT)
        plan.forget_waiting()

        assert [Owed(Point.NOOP)] == list(plan.owed)
        plan.end()
        assert plan.is_idle
        assert plan.awaits is None
