# SPDX-License-Identifier: Apache-2.0
"""
Envelopes and recipients: who is in, and that each is settled once.
"""

import pytest

from lmtp.protocol.address import ForwardPath, ReversePath
from lmtp.protocol.envelope import Envelope
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.events import ContentCompleted, RecipientSettled
from lmtp.protocol.outcome import Accepted, Deferred, Delivered, Failed
from lmtp.protocol.parameters import MailParameters
from tests.protocol.session import Session, codes


@pytest.fixture
def session():
    """
    A session in which ann was accepted, nobody refused and bob accepted, and the content has come.
    """
    session = Session.greeted(waits=True)
    session.say("MAIL FROM:<sam@example>", *(f"RCPT TO:<{name}@example>" for name in ("ann", "nobody", "bob")))
    for number, verdict in enumerate([Accepted("account of ann"), Failed("5.1.1"), Accepted()]):
        session.decide(number, verdict)
    session.say("DATA", "text", ".")
    return session


@pytest.fixture
def envelope(session):
    return session.of_type(ContentCompleted)[0].envelope


class TestEnvelope:
    def test_begins_with_nobody(self):
        envelope = Envelope(ReversePath(), MailParameters())

        assert ([], [], [], 0) == (envelope.offered, envelope.recipients, envelope.unsettled, envelope.size_bytes)

    def test_has_the_accepted_recipients_in_the_order_of_their_commands(self, envelope):
        assert ["<ann@example>", "<nobody@example>", "<bob@example>"] == [str(r.forward_path) for r in envelope.offered]
        assert ["<ann@example>", "<bob@example>"] == [str(r.forward_path) for r in envelope.recipients]

    def test_knows_who_waits_for_an_outcome(self, session, envelope):
        session.settle(2, Delivered())

        assert [session.offered[0]] == envelope.unsettled

    def test_counts_the_octets_of_the_content(self, envelope):
        assert len(b"text\r\n") == envelope.size_bytes


class TestRecipient:
    def test_has_the_account_that_came_with_the_verdict(self, session):
        ann, nobody, bob = session.offered

        assert ("account of ann", None, None) == (ann.account, nobody.account, bob.account)

    def test_shows_whom_it_is(self, session):
        assert "Recipient(<ann@example>)" == repr(session.offered[0])

    def test_is_another_one_for_each_command(self):
        session = Session.greeted()
        session.say("MAIL FROM:<>", "RCPT TO:<ann@example>", "RCPT TO:<ann@example>")
        first, second = session.offered

        assert first.forward_path == second.forward_path == ForwardPath.parse(b"<ann@example>")
        assert first != second

    def test_is_settled_once(self, session):
        session.settle(0, Delivered())

        with pytest.raises(LocalProtocolError, match="ann@example"):
            session.offered[0].settle(Delivered())

    def test_that_was_refused_is_not_settled(self, session):
        with pytest.raises(LocalProtocolError, match="nobody@example"):
            session.offered[1].settle(Delivered())

    def test_is_not_settled_before_the_content(self):
        session = Session.greeted()
        session.say("MAIL FROM:<>", "RCPT TO:<ann@example>")

        with pytest.raises(LocalProtocolError, match="not waiting for an outcome"):
            session.offered[0].settle(Delivered())

    def test_that_was_abandoned_has_been_answered_and_hears_nobody_else(self, session):
        ann = session.offered[0]
        ann.abandon(Deferred("4.3.0"))

        assert ["451"] == codes(session.hear())
        assert ann.is_abandoned

        assert [] == session.settle(0, Delivered())
        assert Deferred("4.3.0") == ann.outcome
        assert [ann] == [event.recipient for event in session.of_type(RecipientSettled)]

    def test_that_was_settled_is_not_abandoned(self, session):
        session.settle(0, Delivered())

        with pytest.raises(LocalProtocolError):
            session.offered[0].abandon(Deferred())
