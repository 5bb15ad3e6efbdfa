# SPDX-License-Identifier: Apache-2.0
"""
What a reply means at each point of the dialogue (RFC 5321 §4.2.1).
"""

import pytest

from lmtp.protocol.address import ForwardPath
from lmtp.protocol.outcome import Deferred, Delivered, Failed
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result, lost, may_answer, outcome_of
from lmtp.protocol.status import EnhancedStatus

OF_SESSION = [Point.GREETING, Point.LHLO, Point.STARTTLS, Point.AUTH, Point.XCLIENT, Point.XFORWARD]
OF_TRANSACTION = [Point.MAIL, Point.RCPT, Point.DATA, Point.CHUNK, Point.CONTENT]
ANN = ForwardPath.parse(b"<ann@example>")


def reply(code, status=None, text=""):
    return Reply(code, EnhancedStatus(status) if status else None, text)


class TestOutcome:
    @pytest.mark.guards("CLI-1")
    @pytest.mark.parametrize("code", [200, 250, 251, 252, 299])
    def test_of_2yz_is_delivered(self, code):
        assert Delivered(status="2.0.0", phrase="ok") == outcome_of(reply(code, text="ok"), Point.CONTENT)

    @pytest.mark.guards("CLI-1")
    @pytest.mark.parametrize("point", OF_SESSION + OF_TRANSACTION)
    @pytest.mark.parametrize("code", [400, 421, 452, 499])
    def test_of_4yz_is_deferred_everywhere(self, code, point):
        assert Deferred("4.2.2", "full") == outcome_of(reply(code, "4.2.2", "full"), point)

    @pytest.mark.guards("CLI-1")
    @pytest.mark.parametrize("point", OF_TRANSACTION)
    @pytest.mark.parametrize("code", [500, 503, 550, 599])
    def test_of_5yz_is_failed_where_it_is_about_the_message(self, code, point):
        assert Failed("5.0.0", "no") == outcome_of(reply(code, text="no"), point)

    @pytest.mark.guards("LMTP-4.1-5")
    @pytest.mark.parametrize("point", OF_SESSION)
    def test_of_5yz_is_deferred_where_the_session_is_set_up(self, point):
        """
        A server of the other protocol, or a wrong password, is no reason to send mail back.
        """
        outcome = outcome_of(reply(550, "5.7.1", "no"), point)

        assert Deferred("4.7.1", "no", "550 taken as transient") == outcome

    @pytest.mark.guards("SZ-12", "T53")
    @pytest.mark.parametrize(
        ("point", "code", "status", "expected"),
        [
            (Point.RCPT, 552, "5.5.3", Deferred),
            (Point.RCPT, 552, "5.2.2", Failed),
            (Point.RCPT, 552, "5.3.4", Failed),
            (Point.RCPT, 552, None, Failed),
            (Point.RCPT, 550, "5.5.3", Failed),
            (Point.CONTENT, 552, "5.5.3", Failed),
        ],
    )
    def test_of_552_is_transient_where_there_were_too_many_recipients(self, point, code, status, expected):
        """
        A client that took every 552 to RCPT for that tried messages again for ever that were too big.
        """
        assert isinstance(outcome_of(reply(code, status), point), expected)

    @pytest.mark.guards("CLI-3")
    def test_of_nothing_is_deferred(self):
        assert Deferred("4.4.2", detail="closed") == lost("closed")


class TestAnswers:
    @pytest.mark.guards("CLI-2")
    @pytest.mark.parametrize("point", Point)
    def test_are_final_unless_they_ask_for_more(self, point):
        possible = {code for code in (250, 354, 450, 550) if may_answer(reply(code), point)}

        assert {Point.DATA: {354, 450, 550}, Point.AUTH: {250, 354, 450, 550}}.get(point, {250, 450, 550}) == possible


class TestResult:
    def test_says_what_it_is_about_and_what_it_rests_on(self):
        result = Result(ANN, Failed("5.1.1", "no"), Point.RCPT, reply(550, "5.1.1", "no"))

        assert "<ann@example> failed by the reply to RCPT: 550 5.1.1 no" == str(result)
        assert (False, False, True) == (result.is_delivered, result.is_deferred, result.is_failed)

    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            (Delivered(), "delivered by the reply to the content: 2.0.0 Delivered"),
            (lost("closed"), "deferred by the reply to the content: 4.4.2 closed"),
            (Deferred("4.2.2", "full"), "deferred by the reply to the content: 4.2.2 full"),
            (Deferred("4.2.2"), "deferred by the reply to the content: 4.2.2"),
        ],
    )
    def test_says_why_without_a_reply(self, outcome, expected):
        result = Result(ANN, outcome, Point.CONTENT)

        assert f"<ann@example> {expected}" == str(result)
        assert isinstance(outcome, Delivered) == result.is_delivered
        assert isinstance(outcome, Deferred) == result.is_deferred
