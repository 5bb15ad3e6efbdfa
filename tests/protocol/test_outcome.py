# SPDX-License-Identifier: Apache-2.0
"""
Outcomes and the replies that tell of them (RFC 2033 §4.2, RFC 3463).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol.errors import PermanentError, TransientError
from lmtp.protocol.outcome import CODES, Accepted, Deferred, Delivered, Failed, refusal_for, reply_for
from lmtp.protocol.reply import RECIPIENT_OK
from lmtp.protocol.status import MEANINGS, EnhancedStatus

STATUSES = st.builds("{}.{}".format, st.integers(0, 7), st.integers(0, 20))


class TestOutcome:
    @pytest.mark.parametrize(
        ("outcome", "status"), [(Delivered, "4.0.0"), (Delivered, "5.0.0"), (Deferred, "5.2.2"), (Failed, "4.2.2")]
    )
    def test_takes_no_status_of_another_class(self, outcome, status):
        with pytest.raises(ValueError, match="is not of class"):
            outcome(status=status)

    @pytest.mark.parametrize("outcome", [Delivered, Deferred, Failed])
    def test_takes_no_status_that_is_none(self, outcome):
        with pytest.raises(ValueError, match="not an enhanced status code"):
            outcome(status="nonsense")


class TestReply:
    @pytest.mark.parametrize(
        ("decision", "expected"),
        [
            (Delivered(), "250 2.0.0 <a@b> Delivered"),
            (Delivered(where="/var/mail/a"), "250 2.0.0 <a@b> Delivered"),
            (Deferred(), "451 4.3.0 <a@b> Mail system trouble"),
            (Deferred("4.2.2"), "452 4.2.2 <a@b> Mailbox full"),
            (Deferred("4.2.1"), "450 4.2.1 <a@b> Mailbox disabled"),
            (Deferred("4.3.1", "Disk full"), "452 4.3.1 <a@b> Disk full"),
            (Deferred(detail="[Errno 28] /var/mail"), "451 4.3.0 <a@b> Mail system trouble"),
            (Failed(), "550 5.0.0 <a@b> Other or undefined status"),
            (Failed("5.1.1"), "550 5.1.1 <a@b> No such mailbox here"),
            (Failed("5.2.2"), "552 5.2.2 <a@b> Mailbox full"),
            (Failed("5.4.6"), "554 5.4.6 <a@b> Too many hops, routing loop detected"),
            (Failed("5.6.0", detail="secret"), "554 5.6.0 <a@b> Message content not acceptable"),
        ],
    )
    def test_says_whose_it_is_and_nothing_that_is_for_the_log(self, decision, expected):
        assert expected == str(reply_for(decision, "<a@b>"))

    def test_to_an_accepted_recipient_is_the_standard_one(self):
        assert RECIPIENT_OK == reply_for(Accepted("account"), "<a@b>")

    @given(digits=STATUSES)
    def test_has_the_class_of_its_status(self, digits):
        """
        RFC 2034 §4.
        """
        for outcome in (Delivered(status=f"2.{digits}"), Deferred(f"4.{digits}"), Failed(f"5.{digits}")):
            reply = reply_for(outcome, "<a@b>")

            assert reply.code // 100 == reply.status.category

    @given(phrase=st.text(), path=st.text())
    def test_can_always_be_sent(self, phrase, path):
        """
        Phrases come from scripts, paths from clients: neither may forge a reply.
        """
        wire = bytes(reply_for(Failed("5.7.1", phrase), path))

        assert all(line[:10] in (b"550-5.7.1 ", b"550 5.7.1 ") for line in wire.split(b"\r\n")[:-1])

    @pytest.mark.parametrize("status", CODES)
    def test_codes_are_of_the_class_of_their_status_and_say_something(self, status):
        assert EnhancedStatus(status).category == CODES[status] // 100
        assert status[2:] in MEANINGS


class TestRefusal:
    def test_for_a_drivers_error_keeps_its_text_from_the_client(self):
        assert Deferred("4.3.1", detail="no space left") == refusal_for(TransientError("4.3.1", "no space left"))
        assert Failed("5.2.1", detail="gone") == refusal_for(PermanentError("5.2.1", "gone"))
