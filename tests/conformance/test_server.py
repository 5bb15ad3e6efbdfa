# SPDX-License-Identifier: Apache-2.0
"""
What is known of a server, and what cases need of it.
"""

import pytest

from lmtp.conformance import needs
from lmtp.conformance.replies import WireReply
from lmtp.conformance.server import Credentials, Offers, Server, Setup, Tls
from lmtp.conformance.wire import TcpTarget, UnixTarget


def setup_of(**settings):
    return Setup(target=UnixTarget("/s"), **settings)


def server_of(*lines, **settings):
    offers = Offers.read(WireReply((b"250-x\r\n", *(b"250-" + line + b"\r\n" for line in lines))))
    return Server(setup_of(**settings), offers, offers)


class TestOffers:
    def test_are_read_in_any_case(self):
        offers = server_of(b"size 100", b"AUTH PLAIN LOGIN", b"PIPELINING").offers

        assert ("100",) == offers.of("SIZE")
        assert ("PLAIN", "LOGIN") == offers.of("AUTH")
        assert "PIPELINING" in offers
        assert () == offers.of("DSN")

    def test_keep_lines_that_are_none(self):
        assert (b"(more)", b"", b"A  b") == server_of(b"(more)", b"", b"A  b").offers.strange_lines


class TestServer:
    @pytest.mark.parametrize(
        ("line", "limit"), [(b"SIZE 100", 100), (b"SIZE", 0), (b"SIZE big", 0), (b"SIZE " + b"9" * 21, 0), (b"X", 0)]
    )
    def test_knows_the_size_limit(self, line, limit):
        assert limit == server_of(line).size_limit

    @pytest.mark.parametrize(
        ("settings", "address"),
        [
            ({"users": ("a@x",), "unknown": "b@x"}, "a@x"),
            ({"unknown": "b@x"}, "b@x"),
            ({}, "nobody@client.example"),
        ],
    )
    def test_has_some_address_for_rcpt(self, settings, address):
        assert address == server_of(**settings).some_address

    def test_setup_refuses_tls_without_context(self):
        with pytest.raises(ValueError, match="context"):
            setup_of(tls=Tls.STARTTLS)

    def test_shows_no_password(self):
        assert "word" not in repr(Credentials("ann", "pass-word"))

    @pytest.mark.parametrize(
        ("target", "text"),
        [(TcpTarget("::1", 24), "[::1]:24"), (TcpTarget("a", 24), "a:24"), (UnixTarget("/s"), "unix:/s")],
    )
    def test_targets_are_written_as_they_are_read(self, target, text):
        assert text == str(target)


class TestNeeds:
    @pytest.mark.parametrize(
        ("need", "reason"),
        [
            (needs.offers("DSN"), "DSN is not offered"),
            (needs.offers_in_clear("DSN"), "DSN is not offered"),
            (needs.offers_not("AUTH"), "AUTH is offered"),
            (needs.offers_word("AUTH", "SCRAM"), "AUTH SCRAM is not offered"),
            (needs.users(1), "--user was not given"),
            (needs.users(2), "--user (2 of them) was not given"),
            (needs.unknown, "--unknown was not given"),
            (needs.failing, "--failing was not given"),
            (needs.reads, "--maildir was not given"),
            (needs.credentials, "--auth-user was not given"),
            (needs.encrypted, "neither --tls nor --starttls was given"),
            (needs.fixed_size_limit, "SIZE without a limit"),
        ],
    )
    def test_that_are_missing_say_so(self, need, reason):
        assert reason == need(server_of(b"AUTH PLAIN"))

    @pytest.mark.parametrize(
        "need",
        [
            needs.offers("SIZE"),
            needs.offers_in_clear("SIZE"),
            needs.offers_not("DSN"),
            needs.offers_word("AUTH", "PLAIN"),
            needs.users(2),
            needs.unknown,
            needs.failing,
            needs.delivers,
            needs.reads,
            needs.credentials,
            needs.clear,
            needs.not_encrypted,
            needs.fixed_size_limit,
        ],
    )
    def test_that_are_there_say_nothing(self, need, tmp_path):
        server = server_of(
            b"SIZE 100", b"AUTH PLAIN", users=("a@x", "b@x"), unknown="c@x", failing="d@x", maildir=tmp_path,
            credentials=Credentials("ann", "secret"),
        )  # fmt: skip

        assert "" == need(server)

    def test_safe_delivers_and_reads_nothing(self, tmp_path):
        server = server_of(is_safe=True, maildir=tmp_path)

        assert "--safe was given" == needs.delivers(server) == needs.reads(server)

    def test_password_needs_a_mechanism(self):
        assert "PLAIN is not offered" == needs.credentials(server_of(credentials=Credentials("ann", "secret")))

    def test_second_login_is_not_wanted(self):
        assert "authenticated already" in needs.nobody_logged_in(server_of(credentials=Credentials("ann", "secret")))
        assert "" == needs.nobody_logged_in(server_of())

    def test_tls_is_one_way_or_the_other(self, client_tls):
        server = server_of(tls=Tls.IMPLICIT, tls_context=client_tls)

        assert "connections begin with TLS" == needs.clear(server)
        assert "connections are encrypted" == needs.not_encrypted(server)
        assert "" == needs.encrypted(server)
