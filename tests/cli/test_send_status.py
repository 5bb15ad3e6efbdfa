# SPDX-License-Identifier: Apache-2.0
"""
With which status `lmtp send` ends.
"""

import os

import pytest

from lmtp.cli.send_status import STATUSES, status_of, status_of_all
from lmtp.protocol.address import ForwardPath
from lmtp.protocol.outcome import Failed
from lmtp.protocol.reply import Reply
from lmtp.protocol.results import Point, Result, lost, outcome_of
from lmtp.protocol.status import EnhancedStatus

ANN = ForwardPath.parse(b"<ann@example.org>")


def result(code, status, point=Point.CONTENT):
    reply = Reply(code, EnhancedStatus(status) if status else None, "Text")
    return Result(ANN, outcome_of(reply, point), point, reply)


class TestStatusOfAResult:
    @pytest.mark.parametrize(
        ("code", "status", "expected"),
        [
            (250, "2.0.0", os.EX_OK),
            (250, None, os.EX_OK),
            (452, "4.2.2", os.EX_TEMPFAIL),
            (421, None, os.EX_TEMPFAIL),
            (550, "5.1.1", os.EX_NOUSER),
            (550, "5.1.6", os.EX_NOUSER),
            (550, "5.1.2", os.EX_NOHOST),
            (550, "5.1.7", os.EX_DATAERR),
            (550, "5.1.8", os.EX_DATAERR),
            (552, "5.2.2", os.EX_UNAVAILABLE),
            (552, "5.2.3", os.EX_DATAERR),
            (552, "5.3.4", os.EX_DATAERR),
            (554, "5.3.0", os.EX_UNAVAILABLE),
            (554, "5.4.6", os.EX_UNAVAILABLE),
            (503, "5.5.1", os.EX_PROTOCOL),
            (554, "5.6.0", os.EX_DATAERR),
            (550, "5.7.1", os.EX_NOPERM),
            (503, None, os.EX_PROTOCOL),
            (530, None, os.EX_NOPERM),
            (550, None, os.EX_UNAVAILABLE),
            (554, None, os.EX_UNAVAILABLE),
        ],
    )
    def test_goes_by_the_enhanced_status_or_else_the_code(self, code, status, expected):
        assert expected == status_of(result(code, status))

    @pytest.mark.parametrize(("code", "expected"), [(550, os.EX_NOUSER), (553, os.EX_NOUSER), (554, os.EX_UNAVAILABLE)])
    def test_of_a_refusal_at_rcpt_without_enhanced_status_is_about_the_mailbox(self, code, expected):
        assert expected == status_of(result(code, None, Point.RCPT))

    def test_of_a_lost_reply_is_to_try_again(self):
        assert os.EX_TEMPFAIL == status_of(Result(ANN, lost("closed"), Point.CONTENT))

    def test_of_what_we_decided_ourselves_goes_by_its_status(self):
        assert os.EX_DATAERR == status_of(Result(ANN, Failed("5.6.3"), Point.CLIENT))
        assert os.EX_UNAVAILABLE == status_of(Result(ANN, Failed("5.0.0"), Point.CLIENT))


class TestStatusOfAll:
    @pytest.mark.parametrize(
        ("statuses", "expected"),
        [
            ([], os.EX_OK),
            ([0, 0], os.EX_OK),
            ([0, 67, 67], os.EX_NOUSER),
            ([0, 67, 77], os.EX_UNAVAILABLE),
            ([67, 75, 0], os.EX_TEMPFAIL),
        ],
    )
    def test_is_to_try_again_or_the_one_cause_or_that_there_are_several(self, statuses, expected):
        assert expected == status_of_all(statuses)


class TestTable:
    def test_has_each_status_once_in_order(self):
        numbers = [number for number, _ in STATUSES]

        assert sorted(set(numbers)) == numbers
