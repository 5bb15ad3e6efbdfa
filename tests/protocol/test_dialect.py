# SPDX-License-Identifier: Apache-2.0
"""
LMTP and SMTP: every difference, seen in one session of each (RFC 2033 §4).
"""

import pytest

from lmtp.protocol.dialect import LMTP, SMTP, Replies
from lmtp.protocol.outcome import Deferred, Delivered, Failed
from tests.protocol.session import Session, codes

CONTENT = ("Subject: hi", "", "text", ".")


def deliver(dialect, **outcomes):
    session = Session.greeted(
        dialect=dialect, outcomes={f"{name}@example": outcome for name, outcome in outcomes.items()}
    )
    session.say("MAIL FROM:<>", *(f"RCPT TO:<{name}@example>" for name in outcomes), "DATA")
    return session, session.say(*CONTENT)


class TestGreeting:
    @pytest.mark.guards("LMTP-4.1-1")
    @pytest.mark.parametrize(("dialect", "verb"), [(LMTP, "LHLO"), (SMTP, "EHLO")])
    def test_is_the_dialects_own_verb(self, dialect, verb):
        session = Session(dialect=dialect)

        assert ["250"] == codes(session.say(f"{verb} mx.example"))

    @pytest.mark.guards("LMTP-4.1-3", "LMTP-4.1-4")
    @pytest.mark.parametrize(("dialect", "verb"), [(LMTP, "EHLO"), (LMTP, "HELO"), (SMTP, "LHLO")])
    def test_of_the_other_protocol_is_answered_500_and_changes_nothing(self, dialect, verb):
        session = Session.greeted(dialect=dialect)
        session.say("MAIL FROM:<>")

        assert ["500"] == codes(session.say(f"{verb} mx.example"))
        assert ["250"] == codes(session.say("RCPT TO:<ann@example>"))

    def test_names_the_protocol(self):
        assert ["220 store.example LMTP ready"] == Session(dialect=LMTP).greeting
        assert ["220 store.example ESMTP ready"] == Session(dialect=SMTP).greeting


class TestDataWithoutRecipients:
    @pytest.mark.guards("LMTP-4.2-2", "T22")
    @pytest.mark.parametrize(("dialect", "code"), [(LMTP, "503"), (SMTP, "554")])
    def test_is_refused_with_the_dialects_code(self, dialect, code):
        session = Session.greeted(dialect=dialect)
        session.say("MAIL FROM:<>")

        assert [code] == codes(session.say("DATA"))


class TestReplies:
    def test_lmtp_has_one_for_each_recipient(self):
        assert Replies.PER_RECIPIENT is LMTP.replies
        _, replies = deliver(LMTP, ann=Delivered(), bob=Failed("5.2.1"), cyd=Deferred("4.2.2"))

        assert ["250", "550", "452"] == codes(replies)

    def test_smtp_has_one_for_the_message(self):
        assert Replies.PER_MESSAGE is SMTP.replies
        _, replies = deliver(SMTP, ann=Delivered(), bob=Delivered())

        assert ["250"] == codes(replies)

    @pytest.mark.parametrize(
        ("outcomes", "code"),
        [
            ({"ann": Delivered(), "bob": Deferred()}, "451"),
            ({"ann": Failed(), "bob": Deferred()}, "451"),
            ({"ann": Delivered(), "bob": Failed()}, "550"),
        ],
    )
    def test_smtps_one_reply_never_promises_more_than_was_done(self, outcomes, code):
        session, replies = deliver(SMTP, **outcomes)

        assert [code] == codes(replies)
        assert ["250"] == codes(session.say("MAIL FROM:<>"))

    def test_smtps_one_reply_refuses_a_message_that_is_too_big_once(self):
        session = Session.greeted(dialect=SMTP)
        session.say("MAIL FROM:<>", "RCPT TO:<ann@example>", "RCPT TO:<bob@example>", "DATA")

        assert ["554"] == codes(session.say(b"a\0b", "."))
