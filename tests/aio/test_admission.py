# SPDX-License-Identifier: Apache-2.0
"""
Who a client is taken for on real sockets: by PROXY headers, XCLIENT and XFORWARD, and what follows from it.
"""

import asyncio
import os
import socket
import struct
from ipaddress import IPv6Address
from types import SimpleNamespace

import pytest

from lmtp.aio.access import Peers
from lmtp.aio.admission import Access, Admission, Admittance
from lmtp.aio.login import NobodyAuthenticates
from lmtp.aio.reporter import Reporter
from lmtp.aio.session import Session
from lmtp.observe import events as observed
from lmtp.protocol.sasl import Authenticated
from tests.aio.conftest import Inbox
from tests.aio.test_proxyline import ENDS4, LOCAL, STREAM4, STREAM6, TCP4, UNIX, UNSPECIFIED, block

TCP = "127.0.0.1:0"
BLOCK4 = block(STREAM4, ENDS4)
BLOCK6 = block(
    STREAM6, struct.pack("!16s16sHH", IPv6Address("2001:db8::1").packed, IPv6Address("::1").packed, 1024, 24)
)
"""From a client at 192.0.2.1, from one at 2001:db8::1."""
PIPELINED = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nhello\r\n.\r\n"


def admitting(**rules):
    """
    Return what a server asks that lets peers do something: a text or a list of them for each.
    """
    return Admittance(access=Access(**{what: Peers.parse(who.split()) for what, who in rules.items()}))


PROXIED = admitting(proxy="127.0.0.1 unix")
XCLIENTS = admitting(xclient="127.0.0.1 unix")


class Anybody:
    """
    An authenticator that believes whoever says a name, where nobody listens.
    """

    def mechanisms(self, channel):
        return ("PLAIN",) if channel.is_local or channel.is_encrypted else ()

    def begin(self, mechanism, channel):
        return self

    def step(self, response):
        return Authenticated("ann")


async def deliver(client, *before):
    """
    Deliver a message after some commands.
    """
    assert {"250"} == set(await client.say(*before, "MAIL FROM:<>", "RCPT TO:<ann@example.org>"))
    assert ["354", "250"] == await client.say("DATA", "hello\r\n.")


async def offer_of(client):
    """
    Say LHLO and return the keywords that are offered.
    """
    return {line[4:].split()[0] for line in (await client.ask("LHLO client.example")).splitlines()[1:]}


def address_of(client):
    host, port = client.writer.get_extra_info("sockname")[:2]
    return f"{host}:{port}"


class TestProxyHeader:
    """
    HAProxy's PROXY protocol: the peer says for whom it connects, before the greeting.
    """

    @pytest.mark.parametrize(
        ("header", "address", "peer"),
        [
            (TCP4, "192.0.2.1", "192.0.2.1:56324"),
            (BLOCK4, "192.0.2.1", "192.0.2.1:56324"),
            (BLOCK6, "2001:db8::1", "[2001:db8::1]:1024"),
            (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 5 24\r\n", "192.0.2.1", "192.0.2.1:5"),
        ],
        ids=["v1", "v2", "v2 over IPv6", "v1 of a mapped address"],
    )
    async def test_says_who_the_client_is(self, start, recorder, *, header, address, peer):
        inbox = Inbox()
        async with start(inbox, at=TCP, admittance=PROXIED) as server:
            client = await server.connect(greeted=False)
            client.write(header)

            assert (await client.read_reply()).startswith("220 ")
            await deliver(client, "LHLO client.example")
        session = inbox.transactions[0].session
        [opened] = recorder.of(observed.SessionOpened)

        assert (peer, address, address_of(client)) == (session.peer, session.peer_address, session.proxy)
        assert peer == opened.peer

    async def test_is_taken_on_a_unix_socket_as_well(self, start):
        inbox = Inbox()
        async with start(inbox, admittance=PROXIED) as server:
            client = await server.connect(greeted=False)
            client.write(TCP4 + PIPELINED)

            assert ["220", "250", "250", "250", "354", "250"] == await client.read_codes(6)
        assert ("192.0.2.1:56324", "unix") == (inbox.transactions[0].session.peer, inbox.transactions[0].session.proxy)

    @pytest.mark.parametrize("header", [TCP4, BLOCK4], ids=["v1", "v2"])
    async def test_may_come_octet_by_octet(self, start, header):
        inbox = Inbox()
        async with start(inbox, admittance=PROXIED) as server:
            client = await server.connect(greeted=False)
            for octet in header:
                client.write(bytes([octet]))
                await asyncio.sleep(0)
            client.write(PIPELINED)

            assert ["220", "250", "250", "250", "354", "250"] == await client.read_codes(6)
        assert "192.0.2.1" == inbox.transactions[0].session.peer_address

    async def test_of_the_proxy_itself_changes_nothing(self, start):
        inbox = Inbox()
        async with start(inbox, at=TCP, admittance=PROXIED) as server:
            client = await server.connect(greeted=False)
            client.write(block(UNSPECIFIED, b"", command=LOCAL) + PIPELINED)
            await client.read_codes(6)
        session = inbox.transactions[0].session

        assert (address_of(client), "") == (session.peer, session.proxy)

    @pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", block(UNIX, bytes(216))], ids=["unknown", "unix"])
    async def test_without_an_address_leaves_the_proxy_as_all_that_is_known(self, start, header):
        inbox = Inbox()
        async with start(inbox, at=TCP, admittance=PROXIED) as server:
            client = await server.connect(greeted=False)
            client.write(header + PIPELINED)
            await client.read_codes(6)
        session = inbox.transactions[0].session

        assert (address_of(client), address_of(client)) == (session.peer, session.proxy)

    async def test_comes_before_tls(self, start, certificate):
        inbox, at = Inbox(), f"{TCP},tls"
        async with start(inbox, at=at, tls=await certificate.load(), admittance=PROXIED) as server:
            client = await server.connect(greeted=False)
            client.write(TCP4)
            client = await client.start_tls().shake_hands()
            client.write(PIPELINED)

            assert ["220", "250", "250", "250", "354", "250"] == await client.read_codes(6)
        session = inbox.transactions[0].session

        assert ("192.0.2.1", "TLSv1.3") == (session.peer_address, session.tls.version)

    @pytest.mark.parametrize(
        ("octets", "detail"),
        [
            (b"LHLO client.example\r\n", "PROXY header failed: no PROXY header"),
            (b"PROXY TCP4 192.0.2.1\r\n", "PROXY header failed: "),
        ],
    )
    async def test_that_is_none_ends_the_connection_without_a_word(self, start, recorder, *, octets, detail):
        async with start(Inbox(), at=TCP, admittance=PROXIED) as server:
            client = await server.connect(greeted=False)
            client.write(octets)

            assert b"" == await client.read_some()
        [failed] = recorder.of(observed.ArrivalFailed)

        assert failed.detail.startswith(detail)
        assert address_of(client) == failed.peer
        assert [] == recorder.of(observed.SessionOpened)

    async def test_that_is_never_complete_is_told(self, start, recorder):
        async with start(Inbox(), admittance=PROXIED) as server:
            client = await server.connect(greeted=False)
            client.write(TCP4[:-1])
            client.writer.write_eof()

            assert b"" == await client.read_some()
        assert ["PROXY header ended before it was complete"] == [
            event.detail for event in recorder.of(observed.ArrivalFailed)
        ]


class TestBehindAProxy:
    """
    The client has its own rights then, and not those of the proxy.
    """

    @pytest.mark.parametrize(("network", "greeting"), [("192.0.2.0/24", "220"), ("127.0.0.0/8", "554")])
    async def test_rules_about_who_may_connect_are_about_the_client(self, start, recorder, network, greeting):
        async with start(Inbox(), at=TCP, admittance=admitting(proxy="127.0.0.1", connect=network)) as server:
            client = await server.connect(greeted=False)
            client.write(TCP4)

            assert [greeting] == await client.read_codes(1)
        assert ["192.0.2.1:56324"] * (greeting == "554") == [
            event.peer for event in recorder.of(observed.SessionRefused)
        ]

    async def test_trust_in_the_proxy_is_none_in_the_client(self, start):
        admittance = admitting(proxy="127.0.0.1", xclient="127.0.0.1", xforward="127.0.0.1", trace="127.0.0.1")
        async with start(Inbox(), at=TCP, admittance=admittance) as server:
            client = await server.connect(greeted=False)
            client.write(TCP4)
            await client.read_reply()

            assert set() == await offer_of(client) & {"XCLIENT", "XFORWARD", "TRACE"}
            assert ["500"] == await client.say("XCLIENT ADDR=127.0.0.1")

    @pytest.mark.parametrize(
        ("header", "is_offered"),
        [(b"PROXY TCP4 127.0.0.1 127.0.0.1 5 24\r\n", False), (block(UNSPECIFIED, b"", command=LOCAL), True)],
        ids=["client that is said to be local", "proxy itself"],
    )
    async def test_nobody_knows_who_listens_between_client_and_proxy(self, start, header, *, is_offered):
        async with start(Inbox(), at=TCP, admittance=PROXIED, authenticator=Anybody()) as server:
            client = await server.connect(greeted=False)
            client.write(header)
            await client.read_reply()

            assert is_offered is ("AUTH" in await offer_of(client))


class TestXclient:
    """
    Postfix's XCLIENT: a peer that is trusted says in the session whom it stands for.
    """

    @pytest.mark.parametrize("at", [TCP, "unix:{folder}/lmtp.sock"], ids=["tcp", "unix"])
    async def test_says_who_the_client_is(self, start, recorder, tmp_path, at):
        inbox = Inbox()
        async with start(inbox, at=at.format(folder=tmp_path), admittance=XCLIENTS) as server:
            client = await server.connect()
            proxy = "unix" if at != TCP else address_of(client)

            assert "XCLIENT" in await offer_of(client)
            assert "220 store.example LMTP ready\r\n" == await client.ask("XCLIENT ADDR=192.0.2.1 PORT=2525")
            assert ["503"] == await client.say("MAIL FROM:<>")
            await deliver(client, "LHLO client.example")
        session = inbox.transactions[0].session
        [replaced] = recorder.of(observed.ClientReplaced)

        assert ("192.0.2.1:2525", "192.0.2.1", proxy) == (session.peer, session.peer_address, session.proxy)
        assert (session.peer, proxy) == (replaced.peer, replaced.proxy)

    async def test_may_say_it_in_pieces(self, start):
        inbox = Inbox()
        async with start(inbox, admittance=XCLIENTS) as server:
            client = await server.connect()
            await client.say("XCLIENT NAME=mail.example PORT=2525", "XCLIENT HELO=mail.example ADDR=IPV6:2001:db8::1")
            await deliver(client, "LHLO client.example")
        session = inbox.transactions[0].session

        assert ("[2001:db8::1]:2525", "unix", "client.example") == (session.peer, session.proxy, session.client_name)

    async def test_that_knows_no_address_leaves_the_proxy(self, start):
        inbox = Inbox()
        async with start(inbox, admittance=XCLIENTS) as server:
            client = await server.connect()
            await client.say("XCLIENT ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE] NAME=[TEMPUNAVAIL]")
            await deliver(client, "LHLO client.example")

        assert "unix" == inbox.transactions[0].session.peer

    async def test_may_name_a_user_who_has_not_proved_to_be_it_here(self, start, recorder):
        inbox = Inbox()
        async with start(inbox, admittance=XCLIENTS) as server:
            client = await server.connect()
            await client.say("XCLIENT LOGIN=ann")
            await deliver(client, "LHLO client.example")
        session = inbox.transactions[0].session

        assert ("ann", False) == (session.identity, session.is_authenticated)
        assert ["ann"] == [event.identity for event in recorder.of(observed.RecipientSettled)]

    async def test_takes_no_right_from_the_proxy(self, start):
        async with start(Inbox(), admittance=XCLIENTS) as server:
            client = await server.connect()
            await client.say("XCLIENT ADDR=192.0.2.1")

            assert "XCLIENT" in await offer_of(client)
            assert ["220"] == await client.say("XCLIENT ADDR=192.0.2.2")

    async def test_is_for_the_users_that_are_named(self, start):
        other = os.geteuid() + 1
        for who, is_offered in ((f"uid:{os.geteuid()}", True), (f"uid:{other}", False)):
            async with start(Inbox(), admittance=admitting(xclient=who)) as server:
                client = await server.connect()

                assert is_offered is ("XCLIENT" in await offer_of(client))


class TestXforward:
    """
    Postfix's XFORWARD: a content filter says where it had the next message from; for the log alone.
    """

    @pytest.mark.parametrize(
        ("attributes", "origin"),
        [
            ("NAME=mail.example ADDR=192.0.2.1 IDENT=4F2a", "mail.example[192.0.2.1] 4F2a"),
            ("ADDR=192.0.2.1", "unknown[192.0.2.1]"),
            ("NAME=[UNAVAILABLE] HELO=mail.example", "unknown[unknown]"),
        ],
    )
    async def test_is_told_with_the_next_message_and_no_other(self, start, recorder, *, attributes, origin):
        inbox = Inbox()
        async with start(inbox, admittance=admitting(xforward="unix")) as server:
            client = await server.connect()
            await deliver(client, "LHLO client.example", f"XFORWARD {attributes}")
            await deliver(client)

        assert [origin, ""] == [event.origin for event in recorder.of(observed.RecipientSettled)]
        assert ["unix", "unix"] == [transaction.session.peer for transaction in inbox.transactions]

    async def test_may_say_it_in_pieces(self, start, recorder):
        async with start(Inbox(), admittance=admitting(xforward="unix")) as server:
            client = await server.connect()
            await deliver(client, "LHLO x", "XFORWARD NAME=mail.example", "XFORWARD ADDR=192.0.2.1")

        assert ["mail.example[192.0.2.1]"] == [event.origin for event in recorder.of(observed.RecipientSettled)]


class TestTrust:
    """
    What is for named peers alone.
    """

    @pytest.mark.parametrize("keyword", ["XCLIENT", "XFORWARD", "IGNOREQUOTA", "TRACE"])
    @pytest.mark.parametrize(("who", "is_offered"), [("127.0.0.1", True), ("unix 192.0.2.0/24", False)])
    async def test_is_offered_to_them_and_to_nobody_else(self, start, keyword, who, *, is_offered):
        async with start(Inbox(), at=TCP, admittance=admitting(**{keyword.lower(): who})) as server:
            client = await server.connect()

            assert is_offered is (keyword in await offer_of(client))

    async def test_lets_a_proxy_name_the_session(self, start, recorder):
        async with start(Inbox(), admittance=admitting(trace="unix")) as server:
            client = await server.connect()
            await deliver(client, "LHLO client.example", "TRACE 4F2a-1")

        assert ["4F2a-1"] == [event.trace for event in recorder.of(observed.RecipientSettled)]

    async def test_is_needed_to_connect_where_the_rules_say_so(self, start, recorder):
        async with start(Inbox(), at=TCP, admittance=admitting(connect="unix 192.0.2.0/24")) as server:
            client = await server.connect(greeted=False)

            assert "554 5.7.1 Not for you\r\n" == await client.read_to_end()
        assert [address_of(client)] == [event.peer for event in recorder.of(observed.SessionRefused)]


class TestFault:
    """
    What is wrong elsewhere does not keep a client from delivering.
    """

    async def test_of_the_authenticator_is_reported_and_costs_auth_alone(self, start, recorder):
        class Broken(Anybody):
            def mechanisms(self, channel):
                raise ZeroDivisionError

        async with start(Inbox(), authenticator=Broken()) as server:
            client = await server.connect()

            assert "AUTH" not in await offer_of(client)
            await deliver(client)
        assert ["listing the mechanisms"] == [event.doing for event in recorder.of(observed.HandlerFailed)]

    def test_peer_that_is_gone_before_it_is_asked_for_is_nobody(self, recorder):
        class Gone:
            def get_extra_info(self, name):
                return SimpleNamespace(family=socket.AF_INET) if name == "socket" else None

        session = Session("s1", "127.0.0.1:24", "", "", "store.example", "LMTP")
        admission = Admission(
            admitting(connect="127.0.0.1 unix"),
            session,
            Reporter(session, recorder),
            has_tls=False,
            authenticator=NobodyAuthenticates(),
        )
        admission.arrive(Gone())

        assert "0.0.0.0:0" == session.peer
        assert not admission.may_connect
