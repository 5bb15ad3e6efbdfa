# SPDX-License-Identifier: Apache-2.0
"""
SCRAM: the examples of the RFCs, clients that know the password and clients that do not, and what is no SCRAM at all.
"""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scramp import ScramClient, ScramException

from lmtp.auth.scram import (
    MAX_ITERATIONS,
    MIN_ITERATIONS,
    SCRAM_SHA_256,
    SCRAM_SHA_256_PLUS,
    ScramExchange,
    ScramKeys,
    derive_keys,
    prepare,
)
from lmtp.protocol.sasl import Authenticated, Challenge, Rejected

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
PENCIL = derive_keys("pencil", SALT, 4096)
END_POINT = b"the hash of a certificate"
BINDING = ("tls-server-end-point", END_POINT)


def find_pencil(name):
    """
    Everybody's password is pencil.
    """
    return PENCIL


def exchange(mechanism=SCRAM_SHA_256, **arguments):
    return ScramExchange(mechanism, find_pencil, **arguments)


def play(server, client):
    """
    Let a real client authenticate; return the last step.
    """
    step = server.step(client.get_client_first().encode())
    if isinstance(step, Challenge):
        client.set_server_first(step.octets.decode())
        step = server.step(client.get_client_final().encode())
    if isinstance(step, Challenge):
        client.set_server_final(step.octets.decode())  # it checks who the server is
        step = server.step(b"")
    return step


class TestExample:
    """
    RFC 7677 §3, with its nonces.
    """

    CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    CLIENT_FINAL = (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

    @pytest.fixture
    def server(self):
        return exchange(server_nonce="%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")

    @pytest.mark.guards("AU-19")
    def test_is_played_octet_by_octet(self, server):
        assert Challenge(self.SERVER_FIRST) == server.step(self.CLIENT_FIRST)
        assert Challenge(self.SERVER_FINAL) == server.step(self.CLIENT_FINAL)
        assert Authenticated("user") == server.step(b"")

    def test_begins_with_an_empty_challenge_without_an_initial_response(self, server):
        assert Challenge(b"") == server.step(None)
        assert Challenge(self.SERVER_FIRST) == server.step(self.CLIENT_FIRST)

    def test_ends_badly_with_a_response_to_server_final_that_is_not_empty(self, server):
        server.step(self.CLIENT_FIRST)
        server.step(self.CLIENT_FINAL)

        assert "'user': the response to server-final is not empty" == server.step(b"x").detail
        assert isinstance(server.step(b""), Rejected)

    def test_ends_badly_with_one_octet_of_the_proof_changed(self, server):
        server.step(self.CLIENT_FIRST)

        assert Rejected(detail="'user': The client keys don't match.: invalid-proof") == server.step(
            self.CLIENT_FINAL.replace(b"p=dH", b"p=dI")
        )

    def test_ends_badly_with_the_nonce_of_another_exchange(self):
        server = exchange()
        server.step(self.CLIENT_FIRST)

        assert isinstance(server.step(self.CLIENT_FINAL), Rejected)

    def test_is_never_over_twice(self, server):
        server.step(self.CLIENT_FIRST)
        server.step(self.CLIENT_FINAL)
        server.step(b"")

        assert isinstance(server.step(b""), Rejected)


class TestClient:
    """
    The client of scramp against our server.
    """

    def test_with_the_password_is_authenticated(self):
        assert Authenticated("ann") == play(exchange(), ScramClient([SCRAM_SHA_256], "ann", "pencil"))

    def test_with_another_password_is_rejected(self):
        assert isinstance(play(exchange(), ScramClient([SCRAM_SHA_256], "ann", "pencils")), Rejected)

    def test_with_a_comma_and_an_equals_sign_in_its_name_is_authenticated(self):
        assert Authenticated("a=n,n") == play(exchange(), ScramClient([SCRAM_SHA_256], "a=n,n", "pencil"))

    def test_is_known_by_the_prepared_form_of_its_name(self):
        assert Authenticated("IX") == play(exchange(), ScramClient([SCRAM_SHA_256], "\u2168", "pencil"))

    def test_with_other_keys_than_ours_is_told_by_our_signature(self):
        other = ScramKeys(salt=SALT, iterations=4096, stored_key=PENCIL.stored_key, server_key=bytes(32))
        with pytest.raises(ScramException, match="server signature"):
            play(ScramExchange(SCRAM_SHA_256, lambda name: other), ScramClient([SCRAM_SHA_256], "ann", "pencil"))


class TestBinding:
    """
    RFC 5802 §6: the channel is part of the proof, and nobody can talk a client out of it.
    """

    def plus(self, end_point=END_POINT):
        return ScramClient([SCRAM_SHA_256_PLUS], "ann", "pencil", channel_binding=("tls-server-end-point", end_point))

    def test_to_the_same_channel_is_authenticated(self):
        assert Authenticated("ann") == play(exchange(SCRAM_SHA_256_PLUS, end_point=END_POINT), self.plus())

    def test_to_the_certificate_of_somebody_between_is_rejected(self):
        step = play(exchange(SCRAM_SHA_256_PLUS, end_point=END_POINT), self.plus(b"the hash of another"))

        assert "'ann': The channel bindings don't match.: channel-bindings-dont-match" == step.detail

    def test_of_another_type_is_rejected(self):
        client = ScramClient([SCRAM_SHA_256_PLUS], "ann", "pencil", channel_binding=("tls-unique", END_POINT))

        assert isinstance(play(exchange(SCRAM_SHA_256_PLUS, end_point=END_POINT), client), Rejected)

    def test_left_out_where_it_was_chosen_is_rejected(self):
        client = ScramClient([SCRAM_SHA_256], "ann", "pencil")

        assert isinstance(play(exchange(SCRAM_SHA_256_PLUS, end_point=END_POINT), client), Rejected)

    def test_that_a_client_could_do_but_was_not_offered_is_rejected_when_it_was(self):
        client = ScramClient([SCRAM_SHA_256], "ann", "pencil", channel_binding=BINDING)

        step = play(exchange(end_point=END_POINT), client)

        assert step.detail.endswith("server-does-support-channel-binding")

    def test_that_a_client_could_do_but_was_not_offered_is_not_missed_when_it_was_not(self):
        client = ScramClient([SCRAM_SHA_256], "ann", "pencil", channel_binding=BINDING)

        assert Authenticated("ann") == play(exchange(), client)

    def test_that_a_client_cannot_do_is_not_asked_of_it(self):
        client = ScramClient([SCRAM_SHA_256], "ann", "pencil")

        assert Authenticated("ann") == play(exchange(end_point=END_POINT), client)

    def test_that_was_not_offered_is_rejected(self):
        assert isinstance(play(exchange(), self.plus()), Rejected)


NO_CLIENT_FIRST = {
    b"": "nothing at all",
    b"n,,": "no name and no nonce",
    b"n,,n=,r=abc": "no name",
    b"n,,n=user,r=": "no nonce",
    b"n,,n=user": "no nonce attribute",
    b"n,,n=us=er,r=abc": "an equals sign that is not escaped",
    b"n,,n=us\0er,r=abc": "NUL",
    b"n,,n=\xff,r=abc": "not UTF-8",
    "n,,n=user,r=ä".encode(): "a nonce that is not ASCII",
    b"n,,m=ext,n=user,r=abc": "an extension that must be known",
    b"n,a=root,n=user,r=abc": "somebody else to act for",
    b"x,,n=user,r=abc": "no flag",
    b"p=,,n=user,r=abc": "no name of a binding",
    "n,,n=\u00ad,r=abc".encode(): "a name of which nothing is left",
    b"n,,n=user\x07,r=abc": "a name that can't be prepared",
}


class TestClientFirst:
    @pytest.mark.parametrize("octets", NO_CLIENT_FIRST, ids=NO_CLIENT_FIRST.values())
    def test_that_is_none_is_rejected(self, octets):
        step = exchange().step(octets)

        assert isinstance(step, Rejected)
        assert "5.7.8" == step.status

    @given(st.lists(st.one_of(st.none(), st.binary(max_size=60)), max_size=5))
    def test_of_any_octets_never_raises_and_never_authenticates(self, responses):
        server = exchange()

        assert not [step for step in map(server.step, responses) if isinstance(step, Authenticated)]

    @given(st.text(alphabet="nypacrsve=,*biws0", max_size=30), st.text(alphabet="c=biws,rp0abdf", max_size=60))
    def test_of_its_own_letters_never_raises_and_never_authenticates(self, first, final):
        for start in (first, f"n,,n=user,r={first}"):
            server = exchange(server_nonce="abc")
            steps = [server.step(text.encode()) for text in (start, final, "")]

            assert not [step for step in steps if isinstance(step, Authenticated)]


class TestKeys:
    def test_are_those_of_dovecot(self):
        derived = derive_keys("correct horse", base64.b64decode("g4kS4OAD1laPF1UhYbWYAw=="), 4096)

        assert "bAI5FdHNiNYqtaQaSHw5KIh3gbWQtaK7vLoU2GYLajQ=" == base64.b64encode(derived.stored_key).decode()
        assert "qtPvDiezhyjnuymofH48UkdpG7yMG9fyUAXgLGTdgEU=" == base64.b64encode(derived.server_key).decode()

    @pytest.mark.parametrize("iterations", [MIN_ITERATIONS, MAX_ITERATIONS])
    def test_may_have_the_least_and_the_most_iterations(self, iterations):
        keys = ScramKeys(salt=SALT, iterations=iterations, stored_key=bytes(32), server_key=bytes(32))

        assert iterations == keys.iterations

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("iterations", MIN_ITERATIONS - 1),
            ("iterations", MAX_ITERATIONS + 1),
            ("salt", bytes(11)),
            ("stored_key", bytes(31)),
            ("server_key", bytes(33)),
        ],
    )
    def test_that_scram_can_not_use_are_refused(self, field, value):
        fields = {"salt": SALT, "iterations": 4096, "stored_key": bytes(32), "server_key": bytes(32)}
        with pytest.raises(ValueError, match="must"):
            ScramKeys(**fields | {field: value})

    def test_do_not_show_themselves(self):
        assert "_key" not in repr(PENCIL)


class TestPreparation:
    """
    RFC 4013 §3.
    """

    @pytest.mark.parametrize(
        ("text", "prepared"),
        [
            ("I\u00adX", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("\u00aa", "a"),
            ("\u2168", "IX"),
            ("a\u00a0b", "a b"),
        ],
    )
    def test_makes_one_of_the_spellings_of_a_name(self, text, prepared):
        assert prepared == prepare(text, "name")

    @pytest.mark.parametrize("text", ["", "\u00ad", "\u0007", "\u0627\u0031", "\ud800", "\U0001f600"])
    def test_refuses_what_is_forbidden_and_does_not_repeat_it(self, text):
        with pytest.raises(ValueError, match=r"^name: [ -~]+$"):
            prepare(text, "name")
