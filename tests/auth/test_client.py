# SPDX-License-Identifier: Apache-2.0
"""
A client that proves who it is without sending its password, against our own server's side.
"""

import base64

import pytest

from lmtp.auth.client import ScramPassword
from lmtp.auth.scram import SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramClientExchange, ScramExchange, derive_keys
from lmtp.protocol.credentials import AuthenticationError, OneMessage
from lmtp.protocol.sasl import Authenticated, Challenge, Channel, Rejected

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
PENCIL = derive_keys("pencil", SALT, 4096)
END_POINT = b"the hash of a certificate"
IN_CLEAR = Channel()
UNDER_TLS = Channel(is_encrypted=True, end_point=END_POINT)


def play(server, client):
    """
    Let a client authenticate; return the server's last step.
    """
    step = server.step(client.initial_response)
    while isinstance(step, Challenge):
        step = server.step(client.respond(step.octets))
    return step


def server(mechanism=SCRAM_SHA_256, **arguments):
    return ScramExchange(mechanism, lambda _: PENCIL, **arguments)


class TestMechanisms:
    def test_in_clear_are_those_that_send_no_password(self):
        assert (SCRAM_SHA_256,) == ScramPassword("user", "pencil").mechanisms(IN_CLEAR)

    def test_under_tls_begin_with_the_one_that_is_bound_to_it(self):
        assert (SCRAM_SHA_256_PLUS, SCRAM_SHA_256, "PLAIN") == ScramPassword("user", "pencil").mechanisms(UNDER_TLS)

    def test_have_plain_where_nobody_can_listen(self):
        exchange = ScramPassword("user", "pencil").begin("PLAIN", Channel(is_local=True))

        assert OneMessage(b"\0user\0pencil") == exchange


class TestExchange:
    @pytest.mark.parametrize("mechanism", [SCRAM_SHA_256, SCRAM_SHA_256_PLUS])
    def test_ends_with_both_sides_knowing_each_other(self, mechanism):
        end_point = END_POINT if mechanism == SCRAM_SHA_256_PLUS else b""
        channel = Channel(is_encrypted=True, end_point=end_point)
        client = ScramPassword("user", "pencil").begin(mechanism, channel)

        assert Authenticated("user") == play(server(mechanism, end_point=end_point), client)
        client.finish()

    def test_fails_with_another_password(self):
        client = ScramPassword("user", "pen").begin(SCRAM_SHA_256, IN_CLEAR)

        assert isinstance(play(server(), client), Rejected)

    def test_fails_when_somebody_took_the_binding_out_of_the_list(self):
        """
        RFC 5802 §6: the client says that it could have bound, and the server that offered it knows.
        """
        client = ScramPassword("user", "pencil").begin(SCRAM_SHA_256, UNDER_TLS)

        assert isinstance(play(server(end_point=END_POINT), client), Rejected)

    @pytest.mark.guards("AU-19")
    def test_is_no_success_before_the_server_has_proved_itself(self):
        """
        RFC 5802 §3: a 235 alone is what anybody can say.
        """
        client = ScramPassword("user", "pencil").begin(SCRAM_SHA_256, IN_CLEAR)
        client.respond(server().step(client.initial_response).octets)

        with pytest.raises(AuthenticationError, match="has not proved"):
            client.finish()

    def test_takes_no_proof_of_somebody_who_does_not_know_the_password(self):
        client = ScramPassword("user", "pencil").begin(SCRAM_SHA_256, IN_CLEAR)
        client.respond(server().step(client.initial_response).octets)

        with pytest.raises(AuthenticationError):
            client.respond(b"v=" + base64.b64encode(bytes(32)))

    @pytest.mark.parametrize("iterations", [b"1", b"4095", b"1000001", b"9999999999", b"many"])
    def test_works_neither_too_little_nor_for_ever(self, iterations):
        """
        Few iterations are for whoever wants to guess the password, many for whoever wants to hold us up.
        """
        client = ScramClientExchange(SCRAM_SHA_256, "user", "pencil", client_nonce="ours")

        with pytest.raises(AuthenticationError, match="no iteration count"):
            client.respond(b"r=ourstheirs,s=" + base64.b64encode(SALT) + b",i=" + iterations)

    @pytest.mark.parametrize("challenge", [b"", b"\xff", b"r=other,s=QSXCR+Q6sek8bf92,i=4096", b"e=other-error,i=4096"])
    def test_takes_nothing_that_is_no_answer(self, challenge):
        client = ScramPassword("user", "pencil").begin(SCRAM_SHA_256, IN_CLEAR)

        with pytest.raises(AuthenticationError):
            client.respond(challenge)

    def test_is_not_begun_with_a_name_that_can_not_be_one(self):
        with pytest.raises(AuthenticationError):
            ScramPassword("user\u0007", "pencil").begin(SCRAM_SHA_256, IN_CLEAR)
