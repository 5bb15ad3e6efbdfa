# SPDX-License-Identifier: Apache-2.0
"""
How a connection comes under TLS, at its beginning or by STARTTLS, on real sockets; and how it does not.
"""

import asyncio
import socket
import struct

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import lmtp
from lmtp.aio.access import Peers
from lmtp.aio.admission import Access, Admittance
from lmtp.aio.upgrade import Stage
from lmtp.observe import events as observed
from lmtp.protocol import ledger
from lmtp.protocol.extensions import STANDARD, Demand
from lmtp.protocol.sasl import Authenticated
from tests.aio.conftest import CA, MX, RENEWED, STORE, Inbox

PLACES = ["127.0.0.1:0", "127.0.0.1:0,tls"]
ALL_TRUSTED = Admittance(
    access=Access(xclient=Peers.parse(["unix"]), xforward=Peers.parse(["unix"]), trace=Peers.parse(["unix"]))
)


class Anybody:
    """
    An authenticator that believes whoever says a name.
    """

    def mechanisms(self, channel):
        return ("PLAIN",)

    def begin(self, mechanism, channel):
        return self

    def step(self, response):
        return Authenticated("ann")


class SlowTls:
    """
    A certificate that is being read until somebody says that it is there.
    """

    def __init__(self, tls=None):
        self.asked = asyncio.Event()
        self.is_there = asyncio.Event()
        self._tls = tls

    async def fresh(self):
        self.asked.set()
        await self.is_there.wait()
        return await self._tls.fresh()


async def begin_tls(server, issued=None):
    """
    Connect and come under TLS by STARTTLS.
    """
    client = await server.connect()
    assert ["250", "220"] == [await code(client, "LHLO clear.example"), await code(client, "STARTTLS")]
    return await client.start_tls(issued).shake_hands()


async def connect(server, at, issued=None):
    """
    Connect and come under TLS one way or the other.
    """
    return await (begin_tls(server, issued) if at == PLACES[0] else server.connect(issued=issued))


async def code(client, line):
    return (await client.ask(line))[:3]


async def deliver(client, name="client.example"):
    assert ["250", "250", "250", "354"] == [
        await code(client, line) for line in (f"LHLO {name}", "MAIL FROM:<>", "RCPT TO:<ann@example.org>", "DATA")
    ]
    client.send("hello", ".")
    assert ["250"] == await client.read_codes(1)


def serial_of(client):
    return client.tls.getpeercert()["serialNumber"]


class TestStartTls:
    """
    RFC 3207 §4: TLS in the middle of a session.
    """

    @pytest.mark.guards("TL-1", "TL-3")
    async def test_begins_the_session_anew_without_a_greeting(self, start, certificate, recorder):
        inbox = Inbox()
        async with start(inbox, tls=await certificate.load()) as server:
            client = await begin_tls(server)

            assert ["503"] == await client.say("MAIL FROM:<>")
            await deliver(client, "encrypted.example")
        session = inbox.transactions[0].session

        assert "encrypted.example" == session.client_name
        assert ("TLSv1.3", client.tls.cipher()[0], False) == (
            session.tls.version,
            session.tls.cipher,
            session.tls.is_verified,
        )
        [started] = recorder.of(observed.TlsStarted)
        assert (session.session_id, session.tls.version, "") == (
            started.session_id,
            started.version,
            started.certificate,
        )

    @pytest.mark.guards("TL-2")
    async def test_is_offered_until_it_is_there(self, start, certificate):
        async with start(Inbox(), tls=await certificate.load()) as server:
            client = await server.connect()

            assert "250-STARTTLS\r\n" in await client.ask("LHLO clear.example")

            client = await begin_tls(server)

            assert "STARTTLS" not in await client.ask("LHLO encrypted.example")
            assert ["502"] == await client.say("STARTTLS")

    @pytest.mark.parametrize("extensions", [STANDARD, STANDARD | {"STARTTLS", "AUTH"}])
    async def test_is_not_offered_without_a_certificate_whatever_the_settings_say(self, start, extensions):
        async with start(Inbox(), admittance=Admittance(extensions=extensions)) as server:
            client = await server.connect()
            offer = await client.ask("LHLO clear.example")

            assert "STARTTLS" not in offer
            assert "AUTH" not in offer
            assert ["502"] == await client.say("STARTTLS")

    @pytest.mark.guards("TL-3")
    async def test_forgets_all_that_was_said_in_clear(self, start, certificate):
        """
        Somebody in between may have said it (RFC 3207 §4.2).
        """
        inbox = Inbox()
        async with start(
            inbox, tls=await certificate.load(), authenticator=Anybody(), admittance=ALL_TRUSTED
        ) as server:
            client = await server.connect()
            codes = [
                await code(client, line)
                for line in (
                    "XCLIENT ADDR=192.0.2.1 PORT=25 LOGIN=mallory",
                    "LHLO clear.example",
                    "AUTH PLAIN =",
                    "XFORWARD NAME=mallory.example",
                    "TRACE mallory",
                    "STARTTLS",
                )
            ]
            client = await client.start_tls().shake_hands()
            await deliver(client)
        transaction = inbox.transactions[0]
        session = transaction.session

        assert ["220", "250", "235", "250", "250", "220"] == codes
        assert ("unix", "", "") == (session.peer, session.peer_address, session.proxy)
        assert ("", False, "") == (session.identity, session.is_authenticated, session.trace_id)
        assert {} == transaction.forwarded

    @pytest.mark.guards("TL-8")
    async def test_may_be_demanded(self, start, certificate):
        admittance = Admittance(demands=Demand.TLS)
        async with start(Inbox(), tls=await certificate.load(), admittance=admittance) as server:
            client = await server.connect()

            assert ["250", "530", "530"] == await client.say("LHLO clear.example", "MAIL FROM:<>", "RSET")

            await deliver(await begin_tls(server))

    @pytest.mark.guards("TL-11")
    async def test_that_fails_leaves_nothing_to_go_on_with(self, start, certificate, recorder):
        """
        Whoever sits in between must not bring the two back to clear text.
        """
        async with start(Inbox(), tls=await certificate.load()) as server:
            client = await server.connect()
            await client.say("STARTTLS")
            client.send("LHLO clear.example")

            assert b"" == await client.read_some()
        [failed] = recorder.of(observed.ArrivalFailed)
        [closed] = recorder.of(observed.SessionClosed)

        assert failed.detail.startswith("TLS handshake failed: ")
        assert (failed.detail, "waiting for the TLS handshake") == (closed.reason, closed.doing)

    async def test_waits_until_all_that_was_said_in_clear_is_on_its_way(self, start, certificate, monkeypatch):
        """
        Whoever pipelines very much before it and reads nothing has filled the way.
        """
        monkeypatch.setattr(ledger, "MAX_READY", 1 << 30)
        async with start(Inbox(), tls=await certificate.load()) as server:
            client = await server.connect()
            client.writer.transport.pause_reading()
            client.write(b"LHLO x\r\n" + b"HELP\r\n" * 10_000 + b"STARTTLS\r\n")
            [connection] = server._connections
            while connection._stage is not Stage.TLS:
                await asyncio.sleep(0)
            assert connection._is_writing_paused
            client.writer.transport.resume_reading()
            while not (await client.read_reply()).startswith("220"):
                pass

            await deliver(await client.start_tls().shake_hands())


class TestBothWays:
    """
    TLS from the beginning is the same but for the greeting.
    """

    async def test_greets_under_tls(self, start, certificate, recorder):
        inbox = Inbox()
        async with start(inbox, at="127.0.0.1:0,tls", tls=await certificate.load()) as server:
            client = await server.connect()

            assert "STARTTLS" not in await client.ask("LHLO client.example")
            await deliver(client)
            assert ["221"] == await client.say("QUIT")
            assert "" == await client.read_to_end()
            client.writer.close()
            [closed] = await recorder.wait_for(observed.SessionClosed)
        assert "TLSv1.3" == inbox.transactions[0].session.tls.version
        assert "quit" == closed.reason
        names = [type(event).__name__ for event in recorder.events]
        assert names.index("TlsStarted") < names.index("SessionOpened")

    @pytest.mark.parametrize("at", PLACES)
    async def test_takes_what_comes_with_the_end_of_the_handshake(self, start, certificate, at):
        """
        A client may say LHLO in the segment that ends the handshake, when nobody here knows yet that it has ended.
        """
        inbox = Inbox()
        async with start(inbox, at=at, tls=await certificate.load()) as server:
            client = await server.connect(greeted=False)
            if at == PLACES[0]:
                await client.read_reply()
                await client.say("STARTTLS")
            client = client.start_tls()
            await client.shake_hands_but_for_the_end()
            client.send(
                "LHLO client.example", "MAIL FROM:<>", "RCPT TO:<ann@example.org>", "DATA", "hello", ".", "QUIT"
            )
            replies = (await client.read_to_end()).splitlines()

        assert ["250", "250", "250", "354", "250", "221"] == [
            line[:3] for line in replies if line[3] == " " and not line.startswith("220")
        ]
        assert [b"hello\r\n"] == inbox.contents

    @pytest.mark.parametrize("at", PLACES)
    async def test_shows_a_renewed_certificate_to_the_next_session(self, start, certificate, at):
        async with start(Inbox(), at=at, tls=await certificate.load()) as server:
            before = await connect(server, at)
            certificate.put(RENEWED)
            after = await connect(server, at)

            assert ["250", "250"] == [await code(each, "LHLO client.example") for each in (before, after)]
        serials = [issued.cert_chain_pems[0].bytes() for issued in (STORE, RENEWED)]
        assert [x509.load_pem_x509_certificate(each).serial_number for each in serials] == [
            int(serial_of(each), 16) for each in (before, after)
        ]

    @pytest.mark.parametrize("at", PLACES)
    @pytest.mark.parametrize("first", [1, 5, 100, 10_000])
    async def test_takes_what_comes_while_the_certificate_is_being_read(self, start, certificate, at, first):
        """
        A client need not wait for anything before it says hello; it may take its time over the rest.
        """
        tls = SlowTls(await certificate.load())
        async with start(Inbox(), at=at, tls=tls) as server:
            raw = await arrive(server, at)
            client = raw.start_tls()
            hello = client.hello()
            raw.write(hello[:first])
            await tls.asked.wait()
            await let_the_loop_read()
            tls.is_there.set()
            await let_the_loop_read()
            raw.write(hello[first:])
            await client.shake_hands()
            if at == PLACES[1]:
                await client.read_reply()

            assert "250" == await code(client, "LHLO client.example")

    @pytest.mark.parametrize("at", PLACES)
    async def test_knows_the_names_in_a_certificate_of_the_client(self, start, certificate, recorder, at):
        inbox = Inbox()
        async with start(inbox, at=at, tls=await certificate.load("optional")) as server:
            await deliver(await connect(server, at, MX))
        facts = inbox.transactions[0].session.tls

        assert (True, ("mx.example.org",)) == (facts.is_verified, facts.client_names)
        assert ["mx.example.org"] == [each.certificate for each in recorder.of(observed.TlsStarted)]


async def arrive(server, at):
    """
    Connect, and come to where a handshake is to begin.
    """
    client = await server.connect(greeted=False)
    if at == PLACES[0]:
        await client.read_reply()
        await client.say("STARTTLS")
    return client


def close(client):
    client.writer.close()


def reset(client):
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


def begin_and_close(client):
    client.write(b"\x16\x03\x01")
    close(client)


def begin_and_reset(client):
    client.write(b"\x16\x03\x01")
    reset(client)


async def let_the_loop_read():
    """
    Let what has been sent come in at the other end, should anybody there read.
    """
    for _ in range(10):
        await asyncio.sleep(0)


async def gone(server):
    while server.connections:
        await asyncio.sleep(0)


@pytest.mark.parametrize("at", PLACES)
class TestFailure:
    """
    Whatever happens in a handshake, the connection ends and the log says why, once.
    """

    def told(self, recorder, at):
        [failed] = recorder.of(observed.ArrivalFailed)
        closed = recorder.of(observed.SessionClosed)
        assert [failed.detail] * (at == PLACES[0]) == [event.reason for event in closed]
        return failed.detail

    async def test_of_what_is_no_handshake(self, start, certificate, recorder, at):
        async with start(Inbox(), at=at, tls=await certificate.load()) as server:
            client = await arrive(server, at)
            client.send("GET / HTTP/1.1", "")

            assert b"" == await client.read_some()
            await gone(server)
        assert "TLS handshake failed: http request" == self.told(recorder, at)

    async def test_of_a_client_that_leaves(self, start, certificate, recorder, at):
        async with start(Inbox(), at=at, tls=await certificate.load()) as server:
            client = await arrive(server, at)
            client.write(b"\x16\x03\x01")
            client.writer.close()
            await gone(server)
        assert "TLS handshake failed: the client left" == self.told(recorder, at)

    async def test_of_a_client_that_cuts_the_connection(self, start, certificate, recorder, at):
        async with start(Inbox(), at=at, tls=await certificate.load()) as server:
            client = await arrive(server, at)
            client.write(b"\x16\x03\x01")
            await asyncio.sleep(0.01)
            client.writer.transport.abort()
            await gone(server)
        assert self.told(recorder, at).startswith("TLS handshake failed: ")

    @pytest.mark.parametrize("leave", [close, reset, begin_and_close, begin_and_reset])
    async def test_of_a_client_that_leaves_while_the_certificate_is_being_read(
        self, start, certificate, recorder, at, leave
    ):
        """
        Nothing is read meanwhile, so that most of them are not missed before the certificate is there.
        """
        tls = SlowTls(await certificate.load())
        async with start(Inbox(), at=at, tls=tls) as server:
            client = await arrive(server, at)
            await tls.asked.wait()
            leave(client)
            await let_the_loop_read()
            tls.is_there.set()
            await gone(server)
        assert self.told(recorder, at).startswith("TLS handshake")

    async def test_of_a_server_that_goes_down_when_the_certificate_is_just_there(
        self, start, certificate, recorder, at
    ):
        """
        What was read of the handshake before finds nobody who wants it.
        """
        tls = SlowTls(await certificate.load())
        async with start(Inbox(), at=at, tls=tls) as server:
            client = await arrive(server, at)
            client.write(b"\x16\x03\x01")
            await tls.asked.wait()
            await let_the_loop_read()
            tls.is_there.set()
            await asyncio.sleep(0)
            await server.stop()

            assert b"" == await client.read_some()
        assert "TLS handshake was cut short: we shut down" == self.told(recorder, at)

    async def test_of_a_connection_that_is_cut_amid_it(self, start, certificate, recorder, at):
        async with start(Inbox(), at=at, tls=await certificate.load()) as server:
            client = (await arrive(server, at)).start_tls()
            await client.shake_hands_but_for_the_end()
            [connection] = server._connections
            connection.cut()
            await gone(server)
        assert "TLS handshake failed: the client left" == self.told(recorder, at)

    async def test_of_a_client_that_takes_too_long(self, start, certificate, recorder, clock, at):
        async with start(Inbox(), at=at, tls=await certificate.load()) as server:
            client = await arrive(server, at)
            client.write(b"\x16\x03\x01")
            await clock.advance(0)
            await clock.advance(server.settings.deadlines.handshake_seconds + 1)

            assert b"" == await client.read_some()
            await gone(server)
        assert self.told(recorder, at).startswith("TLS handshake failed: SSL handshake is taking longer than 30")

    async def test_of_a_client_with_the_certificate_of_a_stranger(self, start, certificate, recorder, at):
        async with start(Inbox(), at=at, tls=await certificate.load("optional")) as server:
            client = await arrive(server, at)
            await client.start_tls(trustme.CA().issue_cert("mx.example.org")).shake_hands()
            await gone(server)
        assert "TLS handshake failed: certificate verify failed" == self.told(recorder, at)

    async def test_of_a_client_with_a_name_nobody_can_read(self, start, certificate, recorder, at):
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        async with start(Inbox(), at=at, tls=await certificate.load("optional")) as server:
            client = await arrive(server, at)
            await client.start_tls(Unreadable()).shake_hands()
            await gone(server)
        assert "can't decode" in self.told(recorder, at)
        assert 1 == len(complaints)

    async def test_of_a_certificate_that_takes_too_long_to_read(self, start, recorder, clock, at):
        tls = SlowTls()
        async with start(Inbox(), at=at, tls=tls) as server:
            client = await arrive(server, at)
            await tls.asked.wait()
            await clock.advance(server.settings.deadlines.command_seconds + 1)

            assert b"" == await client.read_some()
        assert "TLS handshake took too long" == self.told(recorder, at)

    @pytest.mark.parametrize("end", ["drain", "stop"])
    async def test_of_a_server_that_goes_down(self, start, certificate, recorder, at, end):
        deadlines = lmtp.Deadlines(drain_seconds=0.01)
        async with start(Inbox(), at=at, tls=await certificate.load(), deadlines=deadlines) as server:
            client = await arrive(server, at)
            client.write(b"\x16\x03\x01")
            await getattr(server, end)()

            assert b"" == await client.read_some(), "not a word in clear"
            assert 0 == server.connections
        assert "TLS handshake was cut short: we shut down" == self.told(recorder, at)

    async def test_does_not_hold_up_a_handshake_that_ends_in_time(self, start, certificate, at):
        async with start(Inbox(), at=at, tls=await certificate.load()) as server:
            client = (await arrive(server, at)).start_tls()
            await client.shake_hands_but_for_the_end()
            draining = asyncio.ensure_future(server.drain())
            await asyncio.sleep(0)
            client.flush()

            assert (await client.read_to_end()).endswith("421 4.3.2 Shutting down\r\n")

            client.writer.close()
            assert await draining


class Unreadable:
    """
    A certificate of our authority with a name that is neither ASCII nor UTF-8.
    """

    def configure_cert(self, context):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30\x03\x82\x01\xff")
        model = x509.load_pem_x509_certificate(MX.cert_chain_pems[0].bytes())
        builder = x509.CertificateBuilder(
            issuer_name=model.issuer,
            subject_name=model.subject,
            public_key=key.public_key(),
            serial_number=1,
            not_valid_before=model.not_valid_before_utc,
            not_valid_after=model.not_valid_after_utc,
        )
        made = builder.add_extension(name, critical=False).sign(CA._private_key, hashes.SHA256())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = trustme.Blob(pem + made.public_bytes(serialization.Encoding.PEM))
        with chain.tempfile() as path:
            context.load_cert_chain(path)


class TestProxy:
    """
    A PROXY header comes in clear, before anything else.
    """

    @pytest.mark.parametrize("at", PLACES)
    async def test_and_those_who_come_by_themselves_are_served_at_one_endpoint(self, start, certificate, at):
        inbox = Inbox()
        admittance = Admittance(access=Access(proxy=Peers.parse(["127.0.0.2"])))
        async with start(inbox, at=at, tls=await certificate.load(), admittance=admittance) as server:
            proxy = await server.connect(greeted=False, source="127.0.0.2")
            proxy.write(b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 24\r\n")
            by_proxy, by_itself = await come_in(proxy, at), await come_in(await server.connect(greeted=False), at)
            for client in (by_proxy, by_itself):
                await deliver(client)
        first, second = (transaction.session for transaction in inbox.transactions)

        assert ("192.0.2.1:1000", "127.0.0.1") == (first.peer, second.peer_address)
        assert first.proxy.startswith("127.0.0.2:")
        assert "" == second.proxy
        assert first.tls
        assert second.tls

    async def test_that_says_no_header_is_told_nothing(self, start, certificate, recorder):
        admittance = Admittance(access=Access(proxy=Peers.parse(["127.0.0.1"])))
        async with start(Inbox(), at=PLACES[1], tls=await certificate.load(), admittance=admittance) as server:
            raw = await server.connect(greeted=False)
            raw.write(raw.start_tls().hello())

            assert b"" == await raw.read_some()
            await gone(server)
        [failed] = recorder.of(observed.ArrivalFailed)
        assert failed.detail.startswith("PROXY header failed: ")


async def come_in(client, at):
    """
    Come under TLS on a connection that has just been opened.
    """
    if at == PLACES[1]:
        client = await client.start_tls().shake_hands()
        await client.read_reply()
        return client
    await client.read_reply()
    assert ["250", "220"] == [await code(client, "LHLO clear.example"), await code(client, "STARTTLS")]
    return await client.start_tls().shake_hands()


class TestRefusal:
    """
    Where TLS is expected, nothing is said in clear to those who may not come in.
    """

    async def test_of_one_connection_too_many_is_silent(self, start, certificate, recorder):
        async with start(Inbox(), at=PLACES[1], tls=await certificate.load(), connections=1) as server:
            await server.connect()
            second = await server.connect(greeted=False)

            assert b"" == await second.read_some()
            assert 1 == server.connections
        assert [421] == [event.reply.code for event in recorder.of(observed.SessionRefused)]
        assert [] == recorder.of(observed.ArrivalFailed)

    async def test_by_the_rules_is_told_under_tls(self, start, certificate, recorder):
        inbox = Inbox()
        admittance = Admittance(access=Access(connect=Peers.parse(["certificate:mx.example.org"])))
        async with start(
            inbox, at="127.0.0.1:0,tls", tls=await certificate.load("optional"), admittance=admittance
        ) as server:
            stranger = (await server.connect(greeted=False)).start_tls()
            await stranger.shake_hands_but_for_the_end()
            stranger.send("LHLO x", "MAIL FROM:<>", "RCPT TO:<ann@example.org>", "DATA", "hello", ".")

            assert "554 5.7.1 Not for you\r\n" == await stranger.read_to_end()

            stranger.writer.close()
            await deliver(await server.connect(issued=MX))
        assert 1 == len(inbox.contents)
        assert [554] == [event.reply.code for event in recorder.of(observed.SessionRefused)]
        assert 1 == len(recorder.of(observed.SessionOpened)) == len(recorder.of(observed.SessionClosed))
        assert not recorder.of(observed.RecipientSettled)[1:]

    async def test_of_a_client_that_does_not_go_ends_in_time(self, start, certificate, clock):
        admittance = Admittance(access=Access(connect=Peers()))
        async with start(Inbox(), at="127.0.0.1:0,tls", tls=await certificate.load(), admittance=admittance) as server:
            client = await (await server.connect(greeted=False)).start_tls().shake_hands()
            await client.read_line()

            assert 1 == server.connections, "it still costs a connection"

            await clock.advance(server.settings.deadlines.closing_seconds + 1)
            await gone(server)
