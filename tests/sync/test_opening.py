# SPDX-License-Identifier: Apache-2.0
"""
How a blocking client's session is opened, and why it is not: greeting, LHLO, TLS, XCLIENT and AUTH.
"""

import contextlib
import socket
import ssl

import pytest

import lmtp
from lmtp.aio.access import Peers
from lmtp.protocol.sasl import Authenticated
from lmtp.sync import connect
from tests.sync.conftest import FAST, MESSAGE, certified, envelope, outcomes, trusting

TLS = lmtp.ClientTls(context=trusting(), server_name="store.example")
MAYBE_TLS = lmtp.ClientTls(context=trusting(), server_name="store.example", is_required=False)
UNTRUSTING = lmtp.ClientTls(context=ssl.create_default_context(), server_name="store.example")
PASSWORD = lmtp.Password("ann", "secret")
WANTS_CHALLENGES = "offer: AUTH OTHER, ENHANCEDSTATUSCODES"


def settings(**values):
    return lmtp.ClientSettings(client_name="client.example", **values)


class Anybody:
    """
    An authenticator that believes whoever says a name.
    """

    def mechanisms(self, channel):
        return ("PLAIN",) if channel.is_encrypted or channel.is_local else ()

    def begin(self, _mechanism, _channel):
        return self

    def step(self, _response):
        return Authenticated("ann")


class Exchange:
    """
    A client's exchange that answers what it is told to, and may not believe the server.
    """

    def __init__(self, initial=None, *, is_content=True):
        self.initial_response = initial
        self.is_content = is_content
        self.heard = []

    def mechanisms(self, _channel):
        return ("UNKNOWN", "OTHER")

    def begin(self, mechanism, _channel):
        assert "OTHER" == mechanism
        return self

    def respond(self, challenge):
        self.heard.append(challenge)
        if challenge == b"no":
            raise lmtp.AuthenticationError("not with me")
        return b"response"

    def finish(self):
        if not self.is_content:
            raise lmtp.AuthenticationError("it does not know us")


class TestGreeting:
    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ("greeting: 554 5.7.1 not for you", "the greeting was 554 5.7.1 not for you"),
            ("greeting: 421 4.3.2 later", "the greeting was 421 4.3.2 later"),
            ("greeting: close", "the connection was closed"),
            ("greeting: stall", "waited too long for the greeting"),
            ("greeting: garbage", "is no reply"),
            ("lhlo: 550 5.0.0 no", "the answer to LHLO was 550 5.0.0 no"),
            ("lhlo: stall", "waited too long for the reply to LHLO"),
        ],
    )
    def test_that_is_none_opens_no_session(self, script, said, why):
        with pytest.raises(lmtp.SessionError) as caught:
            connect(script(said).endpoint, settings(deadlines=FAST))

        assert why in str(caught.value)

    def test_by_helo_is_tried_where_a_server_of_smtp_knows_no_extensions(self, answering):
        host, port = answering(b"220 old.example\r\n", b"502 what\r\n", b"250 old.example\r\n", b"221 bye\r\n")
        with connect(f"{host}:{port}", settings(dialect=lmtp.SMTP)) as client:
            assert "old.example" == client.offered.server_name
            assert {} == client.offered.keywords

    def test_that_somebody_sends_octet_by_octet_must_come_in_its_time(self, script):
        deeds = "; ".join(f'"{octet}" after 0.02 s' for octet in "220 store.example\\r\\n".replace("\\", "")[:9])
        with pytest.raises(lmtp.SessionError, match="waited too long for the greeting"):
            connect(script(f"greeting: {deeds}").endpoint, settings(deadlines=FAST))

    def test_with_more_behind_it_is_no_session(self, script):
        """
        A reply too many, and the count is in doubt from the beginning.
        """
        with pytest.raises(lmtp.SessionError, match="unasked"):
            connect(script(r'greeting: "220 store.example\r\n250 unasked\r\n"').endpoint)


class TestConnection:
    def test_to_nobody_is_an_error_of_the_network(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            connect(f"unix:{tmp_path}/nobody")

    def test_on_the_port_of_smtp_is_refused(self):
        with pytest.raises(ValueError, match="port 25"):
            connect("localhost:25")

    def test_to_a_unix_socket_opens_a_session(self, collect, tmp_path):
        server = collect(f"unix:{tmp_path}/socket")
        with connect(lmtp.UnixEndpoint(f"{tmp_path}/socket")) as client:
            client.send(envelope("bob"), MESSAGE)

        assert 1 == len(server.messages)

    def test_that_nobody_takes_is_given_up(self, tmp_path):
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) for _ in range(4)]
            sockets[0].bind(f"{tmp_path}/full")
            sockets[0].listen(0)
            for each in sockets[1:]:
                each.setblocking(False)
                each.connect_ex(f"{tmp_path}/full")

            with pytest.raises(lmtp.SessionError, match=r"did not answer within 0\.05 s"):
                connect(f"unix:{tmp_path}/full", settings(deadlines=FAST))


class TestTls:
    @pytest.mark.parametrize("at", ["127.0.0.1:0", "127.0.0.1:0,tls"])
    def test_protects_what_is_sent(self, collect_under_tls, at):
        server = collect_under_tls(at)
        with connect(server.endpoint, settings(tls=TLS)) as client:
            results = client.send(envelope(*["bob"] * 500), MESSAGE * 50_000)

        assert [("Delivered", "2.0.0")] * 500 == outcomes(results)

    def test_at_once_is_asked_for_by_the_endpoint_alone(self, collect_under_tls):
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(collect_under_tls("127.0.0.1:0,tls").endpoint)

    def test_with_somebody_unknown_is_no_session(self, collect_under_tls):
        with pytest.raises(lmtp.SessionError, match="no TLS with the server: CERTIFICATE_VERIFY_FAILED"):
            connect(collect_under_tls("127.0.0.1:0").endpoint, settings(tls=UNTRUSTING))

    @pytest.mark.guards("TL-10")
    def test_that_is_required_must_be_offered(self, script):
        with pytest.raises(lmtp.SessionError, match="does not offer STARTTLS"):
            connect(script().endpoint, settings(tls=TLS))

    def test_that_is_not_required_may_be_missing(self, script):
        with connect(script().endpoint, settings(tls=MAYBE_TLS)) as client:
            assert client.is_usable

    def test_that_is_not_granted_is_no_session(self, script):
        server = script("offer: STARTTLS\nstarttls: 454 4.7.0 not now")
        with pytest.raises(lmtp.SessionError, match="the answer to STARTTLS was 454"):
            connect(server.endpoint, settings(tls=MAYBE_TLS))

    def test_is_named_after_the_endpoint_where_nobody_says_otherwise(self, script, tmp_path):
        tls = lmtp.ClientTls(context=trusting())
        for arguments in ({}, {"path": tmp_path / "socket"}):
            server = script("offer: STARTTLS", tls=certified(), **arguments)
            with pytest.raises(lmtp.SessionError, match="no TLS with the server"):
                connect(server.endpoint, settings(tls=tls))

    def test_that_does_not_begin_is_no_session(self, script):
        server = script("offer: STARTTLS\nstarttls: 220 2.0.0 go; stall")
        with pytest.raises(OSError, match="the TLS handshake took longer"):
            connect(server.endpoint, settings(tls=TLS, deadlines=FAST))

    def test_at_once_that_does_not_begin_is_no_session(self, script):
        with pytest.raises(lmtp.SessionError, match="did not answer within"):
            connect(script("greeting: stall").endpoint + ",tls", settings(tls=TLS, deadlines=FAST))


class TestStandingForAnother:
    def test_begins_the_session_anew(self, collect, tmp_path):
        trusted = lmtp.Admittance(access=lmtp.Access(xclient=Peers.parse(["unix"])))
        server_settings = lmtp.ServerSettings(server_name="store.example", admittance=trusted)
        server = collect(f"unix:{tmp_path}/socket", settings=server_settings)
        with connect(server.endpoint, settings(stands_for={"ADDR": "192.0.2.1"})) as client:
            assert [("Delivered", "2.0.0")] == outcomes(client.send(envelope("bob"), MESSAGE))

    def test_is_left_off_where_nobody_trusts_us(self, script):
        with connect(script().endpoint, settings(stands_for={"ADDR": "192.0.2.1"})) as client:
            assert client.is_usable

    def test_that_is_refused_is_no_session(self, script):
        server = script("offer: XCLIENT ADDR\nxclient: 550 5.7.0 no")
        with pytest.raises(lmtp.SessionError, match="the answer to XCLIENT was 550"):
            connect(server.endpoint, settings(stands_for={"ADDR": "192.0.2.1"}))


class TestAuthentication:
    def test_by_password_is_kept_out_of_the_transcript(self, collect):
        said = []

        class Transcript:
            def client(self, octets):
                said.append(octets)

            def server(self, octets):
                said.append(octets)

        server = collect(authenticator=Anybody())
        with connect(server.endpoint, settings(credentials=PASSWORD, transcript=Transcript)) as client:
            assert client.is_usable
        assert b"(secret)\r\n" in said
        assert b"AUTH PLAIN" not in b"".join(line for line in said if line.startswith(b"AUTH"))

    def test_under_tls_is_tied_to_the_channel(self, collect_under_tls):
        seen = []

        class Curious(lmtp.Password):
            def mechanisms(self, channel):
                seen.append(channel)
                return super().mechanisms(channel)

        server = collect_under_tls("127.0.0.1:0", authenticator=Anybody())
        with connect(server.endpoint, settings(tls=TLS, credentials=Curious("ann", "secret"))) as client:
            assert client.is_usable
        assert (True, True, 32) == (seen[0].is_encrypted, seen[0].is_local, len(seen[0].end_point))

    def test_without_a_mechanism_in_common_is_no_session(self, script):
        with pytest.raises(lmtp.SessionError, match="no way to authenticate: the server offers none"):
            connect(script().endpoint, settings(credentials=PASSWORD))

    def test_that_is_refused_is_no_session(self, script):
        server = script("offer: AUTH PLAIN\nauth: 535 5.7.8 wrong")
        with pytest.raises(lmtp.SessionError, match="the answer to AUTH was 535"):
            connect(server.endpoint, settings(credentials=PASSWORD))

    def test_answers_challenges(self, script):
        server = script(f"{WANTS_CHALLENGES}\nauth 1: 334 Zmlyc3Q=, auth 2: 334 c2Vjb25k, auth 3: 235 2.7.0 ok")
        exchange = Exchange()
        with connect(server.endpoint, settings(credentials=exchange)):
            assert [b"first", b"second"] == exchange.heard

    def test_says_later_what_is_too_long_for_the_command(self, script):
        server = script(f"{WANTS_CHALLENGES}\nauth 1: 334 , auth 2: 235 2.7.0 ok")
        exchange = Exchange(b"x" * 600)
        with connect(server.endpoint, settings(credentials=exchange)):
            assert [] == exchange.heard
        assert b"AUTH OTHER" in server.commands

    @pytest.mark.parametrize("challenge", ["bm8=", "!", "\u00fc"])
    @pytest.mark.parametrize("answer", ["501 5.0.0 given up", "close"])
    def test_gives_up_at_a_challenge_that_is_none(self, script, challenge, answer):
        server = script(f"{WANTS_CHALLENGES}\nauth 1: 334 {challenge}, auth 2: {answer}")
        with pytest.raises(lmtp.SessionError, match="authentication failed"):
            connect(server.endpoint, settings(credentials=Exchange()))

    def test_may_fail_in_our_eyes(self, script):
        server = script(f"{WANTS_CHALLENGES}\nauth: 235 2.7.0 ok")
        with pytest.raises(lmtp.SessionError, match="authentication failed: it does not know us"):
            connect(server.endpoint, settings(credentials=Exchange(is_content=False)))
