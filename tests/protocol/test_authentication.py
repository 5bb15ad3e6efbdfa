# SPDX-License-Identifier: Apache-2.0
"""
AUTH in the engine: challenges and responses, every way an exchange can end, and a programme that takes its time.
"""

import base64

import pytest

from lmtp.protocol import events, reply
from lmtp.protocol.errors import LocalProtocolError
from lmtp.protocol.extensions import STANDARD, Offer
from lmtp.protocol.limits import Limits
from lmtp.protocol.phases import Phase
from lmtp.protocol.sasl import Authenticated, Challenge, Rejected
from lmtp.testing.dialogues import Rules
from tests.protocol.session import Session, codes, read_replies, statuses

OFFER = Offer(extensions=STANDARD | {"AUTH"}, mechanisms=("PLAIN", "SCRAM-SHA-256"))
PASSWORD = "AUTH PLAIN AGFubgBzZWNyZXQ="


@pytest.fixture
def session():
    return Session.greeted(offer=OFFER, authenticator=Rules(users={"ann": "secret"}))


@pytest.fixture
def waiting():
    """
    A session whose responses are answered by the test.
    """
    return Session.greeted(offer=OFFER)


def answer(session, step):
    session.connection.authenticate(step)
    return session.hear()


class TestExchange:
    def test_reports_who_it_was_and_what_failed(self, session):
        session.say("AUTH PLAIN", "*", "AUTH PLAIN =", PASSWORD)
        ended = session.of_type(events.AuthenticationEnded)

        assert ["", "", "ann"] == [event.identity for event in ended]
        assert [501, 535, 235] == [event.reply.code for event in ended]
        assert ["PLAIN"] * 3 == [event.mechanism for event in ended]
        assert [""] * 3 == [event.detail for event in ended], "there is nothing more to say"
        assert "ann" == session.connection.identity

    def test_that_succeeds_makes_up_for_the_bad_commands_before_it(self):
        settings = {"offer": OFFER, "authenticator": Rules(users={"ann": "secret"}), "limits": Limits(bad_commands=3)}
        session = Session.greeted(**settings)

        assert ["500", "500", "235", "500", "500", "421"] == codes(session.say("x", "x", PASSWORD, "x", "x", "x"))

    def test_that_comes_to_nothing_does_not(self):
        settings = {"offer": OFFER, "authenticator": Rules(users={"ann": "secret"}), "limits": Limits(bad_commands=3)}
        session = Session.greeted(**settings)

        assert ["500", "334", "501", "421"] == codes(session.say("x", "AUTH PLAIN", "*", "x"))

    @pytest.mark.guards("AU-1")
    @pytest.mark.parametrize(
        ("line", "response"),
        [("AUTH PLAIN", None), ("AUTH PLAIN =", b""), ("auth plain AGFubg==", b"\0ann")],
    )
    def test_begins_with_the_initial_response(self, waiting, line, response):
        assert [] == waiting.say(line)
        assert [events.AuthenticationStarted("PLAIN", response)] == waiting.of_type(events.AuthenticationStarted)

    @pytest.mark.guards("AU-4")
    @pytest.mark.parametrize("octets", [b"", b"who?", b"\0\xff" * 4608])
    def test_has_challenges_of_one_line(self, waiting, octets):
        """
        RFC 4954 §4: also when the client's own nonce made them long.
        """
        waiting.say("AUTH PLAIN")

        assert ["334 " + base64.b64encode(octets).decode()] == answer(waiting, Challenge(octets))

    def test_goes_on_as_long_as_there_are_challenges(self, waiting):
        waiting.say("AUTH SCRAM-SHA-256 AGFubg==")
        for number in range(3):
            assert ["334"] == codes(answer(waiting, Challenge(b"more")))
            assert [] == waiting.say(base64.b64encode(b"%d" % number).decode())
        answer(waiting, Authenticated("ann"))

        assert [b"0", b"1", b"2"] == [event.response for event in waiting.of_type(events.AuthenticationContinued)]
        assert "ann" == waiting.connection.identity

    @pytest.mark.guards("AU-10")
    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("5.7.8", "535 5.7.8"),
            ("5.7.9", "534 5.7.9"),
            ("5.7.11", "538 5.7.11"),
            ("4.7.12", "432 4.7.12"),
            ("4.7.0", "454 4.7.0"),
        ],
    )
    def test_that_fails_is_answered_by_its_status_and_explained_to_the_log_alone(self, waiting, status, expected):
        waiting.say("AUTH PLAIN =")
        replies = answer(waiting, Rejected(status, "no such user"))
        ended = waiting.of_type(events.AuthenticationEnded)[0]

        assert [expected] == statuses(replies)
        assert "no such user" not in replies[0]
        assert ("", "no such user", expected[:3]) == (ended.identity, ended.detail, str(ended.reply)[:3])
        assert Phase.READY is waiting.connection.phase

    @pytest.mark.guards("AU-12")
    def test_may_fail_three_times(self, waiting):
        for number in range(3):
            waiting.say("AUTH PLAIN =")
            replies = answer(waiting, Rejected())

            assert (["535", "421"] if number == 2 else ["535"]) == codes(replies)

    def test_whose_credentials_could_not_be_checked_counts_for_nothing(self, waiting):
        for _ in range(10):
            waiting.say("AUTH PLAIN =")

            assert ["454"] == codes(answer(waiting, Rejected("4.7.0")))

    @pytest.mark.guards("AU-2")
    def test_does_not_begin_out_of_place_whatever_it_says(self, session):
        session.say(PASSWORD)

        assert ["503", "503"] == codes(session.say("AUTH NOBODY", "AUTH PLAIN not*base64"))
        assert ["503"] == codes(Session(offer=OFFER).say("AUTH PLAIN"))

    def test_can_not_be_answered_when_nobody_asked(self, session):
        with pytest.raises(LocalProtocolError, match="no response waits"):
            session.connection.authenticate(Rules().step(None))

    def test_can_not_be_answered_twice(self, waiting):
        waiting.say("AUTH PLAIN")
        answer(waiting, Challenge(b""))

        with pytest.raises(LocalProtocolError, match="no response waits"):
            waiting.connection.authenticate(Challenge(b""))


class TestResponse:
    @pytest.mark.guards("AU-6")
    @pytest.mark.parametrize("response", ["AGFubgA", "AGF=bgA=", "AGFu bg==", "not*base64", "=", "===="])
    def test_that_is_no_base64_ends_the_exchange(self, waiting, response):
        waiting.say("AUTH PLAIN")
        answer(waiting, Challenge(b""))

        assert ["501 5.5.2"] == statuses(waiting.say(response))
        assert ["250"] == codes(waiting.say("NOOP"))

    @pytest.mark.guards("AU-9")
    def test_may_have_twelve_thousand_octets_and_no_more(self, session):
        assert ["334", "535"] == codes(session.say("AUTH PLAIN", "A" * 12_288))
        assert ["334 ", "500 5.5.6"] == statuses(session.say("AUTH PLAIN", "A" * 12_292))
        assert ["250"] == codes(session.say("NOOP"))

    def test_lets_what_stands_behind_it_be_said_at_once(self, session):
        session.say("AUTH PLAIN")
        session.connection.receive_data(b"*\r\nNOOP\r\n")
        session.connection.next_events()

        assert ["501", "250"] == codes(read_replies(session.connection.data_to_send()))

    def test_that_is_no_line_is_refused_as_any_other(self, session):
        assert ["334"] == codes(session.say("AUTH PLAIN"))
        assert ["500 5.5.2"] == statuses(session.send(b"AGFubgBzZWNyZXQ=\nNOOP\r\n"))

    def test_that_is_none_counts_as_a_bad_command(self):
        session = Session.greeted(offer=OFFER, authenticator=Rules(), limits=Limits(bad_commands=2))

        assert ["500", "250"] == codes(session.say("WHAT", "NOOP"))
        assert ["334", "501", "421"] == codes(session.say("AUTH PLAIN", "*", "WHAT"))


class TestPatience:
    """
    A password may take a second to check, and a directory longer.
    """

    def test_holds_up_what_comes_behind(self, waiting):
        assert [] == waiting.say("AUTH PLAIN =", "NOOP")
        assert ["535", "250"] == codes(answer(waiting, Rejected()))

    def test_lets_the_reader_go_on_until_more_than_a_line_has_to_wait(self, waiting):
        waiting.say("AUTH PLAIN =")
        waiting.send(b"A" * 12_290)

        assert not waiting.connection.has_backlog
        waiting.send(b"A")
        assert waiting.connection.has_backlog

    def test_does_not_outlast_the_session(self, waiting):
        waiting.say("AUTH PLAIN =")
        waiting.connection.close(reply.IDLE_TOO_LONG)

        assert ["454 4.3.2", "421 4.4.2"] == statuses(waiting.hear())
        [ended] = waiting.of_type(events.AuthenticationEnded)
        assert (454, "the session ended first") == (ended.reply.code, ended.detail)
        with pytest.raises(LocalProtocolError):
            waiting.connection.authenticate(Authenticated("ann"))

    def test_does_not_outlast_the_connection(self, waiting):
        waiting.say("AUTH PLAIN =")
        waiting.connection.receive_reset()
        waiting.hear()

        assert waiting.has_ended
        with pytest.raises(LocalProtocolError):
            waiting.connection.authenticate(Authenticated("ann"))

    def test_outlasts_a_client_that_has_said_all_it_will(self, waiting):
        waiting.say("AUTH PLAIN =", "NOOP")

        assert [] == waiting.leave()
        assert not waiting.has_ended
        assert ["235", "250"] == codes(answer(waiting, Authenticated("ann")))
        assert waiting.has_ended

    def test_that_the_client_has_not_ends_the_session(self, session):
        session.say("AUTH PLAIN")
        session.leave()

        assert session.has_ended

    def test_is_over_when_the_server_goes_down_while_the_client_is_asked(self, session):
        session.say("AUTH PLAIN")
        session.connection.drain()

        assert ["421"] == codes(session.hear())
