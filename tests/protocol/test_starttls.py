# SPDX-License-Identifier: Apache-2.0
"""
STARTTLS in the engine: nothing said in clear outlives the handshake (RFC 3207 §4.2, §6).
"""

from dataclasses import replace

import pytest

from lmtp.protocol import events
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.extensions import STANDARD, Offer
from lmtp.protocol.phases import Phase
from lmtp.testing.dialogues import Rules
from tests.protocol.session import Session, codes

OFFER = Offer(extensions=STANDARD | {"STARTTLS", "AUTH", "REQUIRETLS"}, mechanisms=("PLAIN",))
ENCRYPTED = replace(OFFER, is_encrypted=True)
PASSWORD = "AUTH PLAIN AGFubgBzZWNyZXQ="


@pytest.fixture
def session():
    return Session.greeted(offer=OFFER, authenticator=Rules(users={"ann": "secret"}))


class TestStarttls:
    @pytest.mark.guards("TL-5", "T38")
    @pytest.mark.parametrize("behind", ["NOOP", "MAIL FROM:<eve@example.org>", ""])
    def test_with_anything_behind_it_in_clear_ends_the_session(self, session, behind):
        assert ["554", "421"] == codes(session.say("STARTTLS", behind))
        assert session.has_ended
        assert not session.of_type(events.TlsRequested)
        assert [b"STARTTLS"] == [event.line for event in session.of_type(events.CommandRefused)]

    @pytest.mark.guards("TL-3")
    def test_makes_all_that_was_said_before_void(self, session):
        session.say(PASSWORD)

        assert ["220"] == codes(session.say("STARTTLS"))
        assert 1 == len(session.of_type(events.TlsRequested))

        session.connection.tls_started(ENCRYPTED)

        assert [] == session.hear(), "there is no second greeting"
        assert "" == session.connection.identity
        assert ["503"] == codes(session.say("MAIL FROM:<>"))

    def test_lets_a_client_prove_again_who_it_is(self, session):
        session.say(PASSWORD, "STARTTLS")
        session.connection.tls_started(ENCRYPTED)

        assert ["250", "235"] == codes(session.say("LHLO mx.example", PASSWORD))
        assert "ann" == session.connection.identity

    @pytest.mark.guards("TL-2", "RT-1")
    def test_is_not_offered_twice(self, session):
        session.say("STARTTLS")
        session.connection.tls_started(ENCRYPTED)
        [reply] = session.say("LHLO mx.example")

        assert "STARTTLS" not in reply
        assert "REQUIRETLS" in reply
        assert ENCRYPTED == session.connection.offer
        assert ["502"] == codes(session.say("STARTTLS"))

    @pytest.mark.guards("RT-2")
    def test_marks_the_message_that_may_travel_under_it_only(self, session):
        """
        RFC 8689 §4.1: the parameter counts, whatever the header section says.
        """
        session.say("STARTTLS")
        session.connection.tls_started(ENCRYPTED)
        session.say("LHLO mx.example", PASSWORD, "MAIL FROM:<> REQUIRETLS")
        [opened] = session.of_type(events.TransactionOpened)

        assert opened.envelope.parameters.requires_tls

    def test_leaves_what_comes_in_then_to_whoever_does_the_handshake(self, session):
        session.say("STARTTLS")

        with pytest.raises(LocalProtocolError, match="belongs to TLS"):
            session.connection.receive_data(b"\x16\x03")

    def test_that_nobody_asked_for_can_not_have_started(self, session):
        with pytest.raises(LocalProtocolError, match="no STARTTLS"):
            session.connection.tls_started(ENCRYPTED)

    def test_whose_handshake_fails_ends_the_session(self, session):
        session.say("STARTTLS")
        session.connection.receive_reset()
        session.hear()

        assert session.has_ended
        assert Phase.CLOSED is session.connection.phase
