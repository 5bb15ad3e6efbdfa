# SPDX-License-Identifier: Apache-2.0
"""
PLAIN and EXTERNAL: which messages are ones, and whom they prove.
"""

import smtplib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.auth.mechanisms import MAX_PART_OCTETS, ExternalExchange, PlainExchange
from lmtp.protocol.sasl import Authenticated, Challenge, Rejected

LONGEST = b"p" * MAX_PART_OCTETS


class Users:
    """
    Those who may authenticate, and with what; remembers what it was asked.
    """

    def __init__(self, **passwords):
        self.passwords = passwords
        self.asked = []

    def verify(self, name, password):
        self.asked.append((name, password))
        return self.passwords.get(name) == password


@pytest.fixture
def users():
    return Users(tim="tanstaaftanstaaf", Kurt="xipj3plmq", IX="a b")


ACCEPTED = {
    b"\0tim\0tanstaaftanstaaf": "tim",
    b"tim\0tim\0tanstaaftanstaaf": "tim",
    b"\0Kurt\0xipj3plmq": "Kurt",
    "\0\u2168\0a b".encode(): "IX",
    "I\u00adX\0\u2168\0a b".encode(): "IX",
}
"""Who is authenticated by what; the first and third message are those of RFC 4616 §4."""
REFUSED = {
    b"Ursel\0Kurt\0xipj3plmq": "may not act for 'Ursel'",
    b"": "1 parts instead of 3",
    b"tim\0tanstaaftanstaaf": "2 parts instead of 3",
    b"\0tim\0tanstaaftanstaaf\0": "4 parts instead of 3",
    b"\0\0tanstaaftanstaaf": "authcid: empty",
    b"\0tim\0": "no password",
    b"\0\xc2\xad\0tanstaaftanstaaf": "authcid: empty",
    b"\xc2\xad\0tim\0tanstaaftanstaaf": "authzid: empty",
    b"\0\x07\0tanstaaftanstaaf": "control characters",
    b"\0tim\0\xff": "not UTF-8",
    b"\0\xed\xa0\x80\0secret": "not UTF-8",
    LONGEST + b"p\0tim\0tanstaaftanstaaf": "longer than 255 octets",
    b"\0" + LONGEST + b"p\0tanstaaftanstaaf": "longer than 255 octets",
    b"\0tim\0" + LONGEST + b"p": "longer than 255 octets",
    b"\0tim\0tanstaaf": "'tim': unknown, or another password",
    b"\0tom\0tanstaaftanstaaf": "'tom': unknown, or another password",
    b"\0TIM\0tanstaaftanstaaf": "'TIM': unknown, or another password",
}


class TestPlain:
    @pytest.mark.guards("AU-17")
    @pytest.mark.parametrize("response", ACCEPTED, ids=repr)
    def test_authenticates_by_name_and_password(self, users, response):
        assert Authenticated(ACCEPTED[response]) == PlainExchange(users.verify).step(response)

    @pytest.mark.guards("AU-17")
    @pytest.mark.parametrize("response", REFUSED, ids=lambda octets: repr(octets[:40]))
    def test_rejects_the_rest_alike(self, users, response):
        step = PlainExchange(users.verify).step(response)

        assert isinstance(step, Rejected)
        assert "5.7.8" == step.status
        assert REFUSED[response] in step.detail
        assert "tanstaaf" not in step.detail

    @pytest.mark.guards("AU-4")
    def test_begins_with_an_empty_challenge_without_an_initial_response(self, users):
        exchange = PlainExchange(users.verify)

        assert Challenge(b"") == exchange.step(None)
        assert Authenticated("tim") == exchange.step(b"\0tim\0tanstaaftanstaaf")

    @pytest.mark.guards("AU-17")
    def test_takes_parts_of_255_octets(self, users):
        name = MAX_PART_OCTETS * "n"
        users.passwords[name] = LONGEST.decode()

        assert Authenticated(name) == PlainExchange(users.verify).step(b"\0".join((name.encode(),) * 2 + (LONGEST,)))

    def test_hands_the_password_on_as_it_was_sent(self, users):
        PlainExchange(users.verify).step("\0tim\0\u2168".encode())

        assert [("tim", "\u2168")] == users.asked

    def test_is_what_smtplib_sends(self, users):
        client = smtplib.SMTP()
        client.user, client.password = "tim", "tanstaaftanstaaf"

        assert Authenticated("tim") == PlainExchange(users.verify).step(client.auth_plain().encode())

    @given(
        st.one_of(st.binary(), st.lists(st.text(), min_size=3, max_size=3).map(lambda parts: "\0".join(parts).encode()))
    )
    def test_never_raises_and_never_lets_in_who_is_unknown(self, response):
        assert isinstance(PlainExchange(Users().verify).step(response), Rejected)


class TestExternal:
    @pytest.mark.guards("AU-18")
    @pytest.mark.parametrize("response", [b"", b"mx.example.org"])
    def test_authenticates_whom_the_channel_names(self, response):
        assert Authenticated("mx.example.org") == ExternalExchange("mx.example.org").step(response)

    @pytest.mark.guards("AU-18")
    def test_begins_with_an_empty_challenge_without_an_initial_response(self):
        exchange = ExternalExchange("mx.example.org")

        assert Challenge(b"") == exchange.step(None)
        assert Authenticated("mx.example.org") == exchange.step(b"")

    def test_rejects_who_wants_to_act_for_somebody_else(self):
        step = ExternalExchange("mx.example.org").step(b"root")

        assert Rejected(detail="mx.example.org may not act for b'root'") == step

    @given(st.binary(min_size=1).filter(lambda octets: octets != b"mx"))
    def test_never_raises_and_never_lets_anybody_else_in(self, response):
        assert isinstance(ExternalExchange("mx").step(response), Rejected)
