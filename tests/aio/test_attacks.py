# SPDX-License-Identifier: Apache-2.0
"""
Clients that mean harm, on real sockets: what they see, what they cost, and what the log says of them.

Memory is what Python allocates for the server and its client together, as both live in the test's process.
"""

import asyncio
import base64
import struct
import threading
import tracemalloc
from collections import Counter

import pytest

import lmtp
from lmtp.aio import login
from lmtp.aio.access import Peers
from lmtp.aio.admission import Access, Admittance
from lmtp.auth.authenticator import SaslAuthenticator, SaslOptions
from lmtp.auth.password_file import PasswordFile, PasswordFileOptions
from lmtp.config.choices import LogLevel
from lmtp.observe import events as observed
from lmtp.protocol.extensions import Demand
from lmtp.protocol.ledger import MAX_READY
from lmtp.protocol.limits import Leniency
from lmtp.telemetry.logs import event_name, keys_of, level_of
from tests.aio.conftest import Inbox
from tests.aio.test_proxyline import ENDS4, PROXIED, SIGNATURE, STREAM4, TCP4, block

MIB = 1024 * 1024
A_SESSION = 4 * MIB
"""What a session and its client may take together, whatever the client does."""
PIECE = b"A" * 65536
FORGED = b"MAIL FROM:<root@example.org>\r\nRCPT TO:<eve@example.org>\r\nDATA\r\nforged\r\n.\r\n"
"""A transaction that somebody wants to get in."""


class Memory:
    """
    What is allocated at the most while the block runs.
    """

    def __enter__(self):
        tracemalloc.start()
        return self

    def __exit__(self, *_):
        self.peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def log(recorder, least=LogLevel.INFO):
    """
    Return what the log says of sessions: the name of each line, and the word of it an operator would look for.
    """
    lines = []
    for event in recorder.events:
        keys = keys_of(event)
        if "session" in keys and level_of(event).rank >= least.rank:
            word = next((keys[key] for key in ("command", "detail", "to", "reason") if key in keys), "")
            lines.append((event_name(event), word))
    return lines


async def stream(client, piece, times):
    """
    Send octets many times over without holding them all.
    """
    for _ in range(times):
        client.write(piece)
        await client.writer.drain()


async def count_replies(client, count):
    """
    Read so many replies, or all there are, without holding them; return how many there were of each code.
    """
    codes, rest = Counter(), b""
    while codes.total() < count and (octets := await client.read_some()):
        *lines, rest = (rest + octets).split(b"\r\n")
        codes.update(line[:3].decode() for line in lines if line[3:4] == b" ")
    return dict(codes)


async def flood(client, piece, times, *, replies):
    """
    Send octets many times over, and read the replies meanwhile.
    """
    _, codes = await asyncio.gather(stream(client, piece, times), count_replies(client, replies))
    return codes


async def until_held_back(client):
    """
    Wait until the server takes nothing more from a client that sends without end.
    """
    while client.writer.transport.get_write_buffer_size() < 8 * len(PIECE):
        client.write(PIECE)
        await asyncio.sleep(0)


def codes_in(said):
    return [line[:3] for line in said.splitlines() if line[3:4] == " "]


class TestStartTlsInjection:
    """
    Commands in clear that are to be obeyed as if TLS had protected them (RFC 3207 §6, CVE-2011-0411).
    """

    @pytest.mark.guards("TL-4")
    @pytest.mark.parametrize("behind", [FORGED, b"RSET\r\n\x16\x03\x01\x02\0", b"MAIL FROM:<root@exam", b"\r\n", b"\0"])
    async def test_behind_starttls_in_its_segment_ends_the_session(self, start, certificate, recorder, *, behind):
        inbox = Inbox()
        async with start(inbox, tls=await certificate.load()) as server:
            client = await server.connect()
            client.write(b"LHLO x\r\nSTARTTLS\r\n" + behind)
            said = await client.read_to_end()

        assert ["250", "554", "421"] == codes_in(said)
        assert "554 5.5.0 Commands behind STARTTLS, closing\r\n" in said
        assert [] == inbox.contents
        assert [] == recorder.of(observed.TlsStarted)
        assert [("command_refused", "STARTTLS")] == log(recorder)

    @pytest.mark.guards("TL-4")
    @pytest.mark.parametrize("injected", [FORGED, b"NOOP\r\n", b"QUIT\r\n"])
    async def test_behind_the_220_is_no_handshake(self, start, certificate, recorder, *, injected):
        inbox = Inbox()
        async with start(inbox, tls=await certificate.load()) as server:
            client = await server.connect()
            await client.say("LHLO x", "STARTTLS")
            client.write(injected)

            assert b"" == await client.read_some(), "not a word"
        assert [] == inbox.contents
        [(name, detail)] = log(recorder)

        assert ("arrival_failed", True) == (name, detail.startswith("TLS handshake failed: "))

    @pytest.mark.guards("TL-4")
    async def test_in_the_segment_of_the_handshake_is_not_obeyed_under_tls(self, start, certificate, recorder):
        inbox = Inbox()
        async with start(inbox, tls=await certificate.load()) as server:
            client = await server.connect()
            await client.say("LHLO x", "STARTTLS")
            encrypted = client.start_tls()
            await encrypted.shake_hands_but_for_the_end()
            encrypted.flush()
            client.write(FORGED)

            assert "" == await encrypted.read_to_end()
        assert [] == inbox.contents
        assert [] == recorder.of(observed.CommandRefused), "no octet of it is ours to read"


ENDINGS = (
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\n.\r",
    b"\r\n.\r\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
)
"""What one server or another has taken for the end of a content."""
AS_IT_COMES = Leniency.STRAY_LINE_ENDS | Leniency.NUL | Leniency.LF_ENDS_COMMANDS


class TestSmuggling:
    """
    A second message inside the first, for a server that sees an end where there is none (CVE-2023-51764 and others).
    """

    async def transmit(self, client, ending):
        """
        Send a content with an end that is none, in a segment of its own, and a forged transaction behind it.
        """
        await client.open_transaction("ann", "bob")
        for octets in (b"first", ending, FORGED):
            client.write(octets)
            await asyncio.sleep(0)
        codes = await client.read_codes(2)
        assert ["250"] == await client.say("NOOP")
        return codes

    @pytest.mark.guards("TX-4", "TX-7", "TX-10", "TX-11")
    @pytest.mark.parametrize("ending", ENDINGS, ids=repr)
    async def test_is_refused_once_for_each_recipient_at_the_true_end(self, start, recorder, ending):
        inbox = Inbox()
        async with start(inbox) as server:
            assert ["554", "554"] == await self.transmit(await server.connect(), ending)
        settled = recorder.of(observed.RecipientSettled)

        assert [] == inbox.contents
        assert ["<sender@example.org>"] * 2 == [event.reverse_path for event in settled]
        assert [("recipient_settled", "<ann@example.org>"), ("recipient_settled", "<bob@example.org>")] == log(recorder)
        assert {"554 5.6.0"} == {str(event.reply)[:9] for event in settled}

    @pytest.mark.guards("TX-4", "TX-11")
    @pytest.mark.parametrize("ending", ENDINGS, ids=repr)
    async def test_is_text_where_such_contents_are_let_pass(self, start, recorder, ending):
        inbox = Inbox()
        async with start(inbox, leniency=AS_IT_COMES) as server:
            assert ["250", "250"] == await self.transmit(await server.connect(), ending)

        content = b"first" + ending + FORGED.removesuffix(b".\r\n")
        assert [content.replace(b"\r\n.", b"\r\n")] == inbox.contents
        assert ["<ann@example.org>", "<bob@example.org>"] == [
            event.forward_path for event in recorder.of(observed.RecipientSettled)
        ]

    @pytest.mark.guards("TX-11")
    @pytest.mark.parametrize("offset", range(1, len(b"\r\n.\r\n")))
    async def test_true_end_is_found_wherever_segments_are_cut(self, start, offset):
        inbox, end = Inbox(), b"\r\n.\r\n"
        async with start(inbox) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            for octets in (b"first" + end[:offset], end[offset:]):
                client.write(octets)
                await asyncio.sleep(0)

            assert ["250"] == await client.read_codes(1)
        assert [b"first\r\n"] == inbox.contents

    @pytest.mark.guards("TX-9")
    @pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\n\r", b"\0"], ids=repr)
    async def test_of_commands_behind_another_line_end_runs_none_of_them(self, start, recorder, line_end):
        async with start(Inbox()) as server:
            client = await server.connect()
            await client.say("LHLO x")
            client.write(b"NOOP" + line_end + b"MAIL FROM:<root@example.org>\r\nNOOP\r\n")

            assert ["500", "250"] == await client.read_codes(2)
        assert ["command_refused"] == [name for name, _ in log(recorder)]
        assert [0] == [event.transactions for event in recorder.of(observed.SessionClosed)]


class TestProxySpoofing:
    """
    A PROXY header of somebody who is no proxy.
    """

    @pytest.mark.parametrize("trusted", ["192.0.2.0/24", "unix"])
    async def test_of_a_stranger_is_a_command_nobody_knows(self, start, recorder, trusted):
        inbox = Inbox()
        admittance = Admittance(access=Access(proxy=Peers.parse([trusted])))
        async with start(inbox, at="127.0.0.1:0", admittance=admittance) as server:
            client = await server.connect()
            client.write(TCP4 + b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nhello\r\n.\r\n")

            assert ["500", "250", "250", "250", "354", "250"] == await client.read_codes(6)
        session = inbox.transactions[0].session

        assert ("127.0.0.1", "") == (session.peer_address, session.proxy)
        assert ("command_refused", TCP4.decode().strip()) == log(recorder)[0]

    async def test_in_binary_is_no_quit_either(self, start, recorder):
        """
        The signature was made so that servers that do not know it hang up.
        """
        async with start(Inbox(), at="127.0.0.1:0") as server:
            client = await server.connect()
            client.write(block(STREAM4, ENDS4) + b"\r\nNOOP\r\n")

            assert {"500", "250"} == set(await client.read_codes(5))
        assert {"command_refused"} == {name for name, _ in log(recorder)}
        assert ["quit"] != [event.reason for event in recorder.of(observed.SessionClosed)]

    async def test_of_a_client_behind_a_proxy_is_not_believed(self, start, recorder):
        admittance = Admittance(access=Access(proxy=Peers.parse(["unix"]), connect=Peers.parse(["192.0.2.1"])))
        async with start(Inbox(), admittance=admittance) as server:
            client = await server.connect(greeted=False)
            client.write(TCP4 + TCP4.replace(b"192.0.2.1", b"127.0.0.1"))

            assert ["220", "500"] == await client.read_codes(2)
        assert ["192.0.2.1:56324"] == [event.peer for event in recorder.of(observed.SessionOpened)]

    @pytest.mark.parametrize(
        "header",
        [b"PROXY TCP4 " + b"1" * 200, SIGNATURE + struct.pack("!BBH", PROXIED, STREAM4, 65535) + b"\0" * 200],
        ids=["v1", "v2"],
    )
    async def test_without_end_is_cut_as_soon_as_that_is_certain(self, start, recorder, header):
        admittance = Admittance(access=Access(proxy=Peers.parse(["unix"])))
        with Memory() as memory:
            async with start(Inbox(), admittance=admittance) as server:
                client = await server.connect(greeted=False)
                client.write(header)

                assert b"" == await client.read_some()
        assert memory.peak_bytes < MIB
        [(name, detail)] = log(recorder)

        assert ("arrival_failed", True) == (name, detail.startswith("PROXY header failed: "))


class TestXclientOfStrangers:
    """
    XCLIENT, XFORWARD and their like from peers that nobody named.
    """

    @pytest.mark.guards("XC-4")
    @pytest.mark.parametrize("command", ["XCLIENT ADDR=127.0.0.1 LOGIN=root", "XFORWARD ADDR=127.0.0.1", "TRACE root"])
    async def test_is_unknown_and_changes_nothing(self, start, recorder, command):
        inbox = Inbox()
        access = {name: Peers.parse(["192.0.2.1", "unix"]) for name in ("xclient", "xforward", "trace")}
        async with start(inbox, at="127.0.0.1:0", admittance=Admittance(access=Access(**access))) as server:
            client = await server.connect()

            assert command.split()[0] not in await client.ask("LHLO x")
            assert ["500", "250", "250", "354"] == await client.say(
                command, "MAIL FROM:<>", "RCPT TO:<ann@example.org>", "DATA"
            )
            assert ["250"] == await client.say("hello\r\n.")
        transaction = inbox.transactions[0]
        session = transaction.session

        assert ("127.0.0.1", "", "", "") == (session.peer_address, session.proxy, session.identity, session.trace_id)
        assert {} == transaction.forwarded
        assert ("command_refused", command) == log(recorder)[0]

    async def test_opens_no_door_that_auth_keeps_shut(self, start):
        admittance = Admittance(demands=Demand.AUTHENTICATION)
        async with start(Inbox(), admittance=admittance) as server:
            client = await server.connect()

            assert ["250", "500", "530"] == await client.say("LHLO x", "XCLIENT LOGIN=root", "MAIL FROM:<>")

    async def test_again_and_again_ends_the_session(self, start, recorder):
        async with start(Inbox()) as server:
            client = await server.connect()
            client.send(*["XCLIENT ADDR=127.0.0.1"] * 100)

            assert ["500"] * 19 + ["421"] == codes_in(await client.read_to_end())
        assert 20 == len(log(recorder))
        assert ["421 4.7.0 Too many bad commands, closing"] == [
            event.reason for event in recorder.of(observed.SessionClosed)
        ]


def plain(password):
    response = b"\0ann\0" + password
    return f"AUTH PLAIN {base64.b64encode(response).decode()}"


class TestBruteForce:
    """
    Passwords tried one after the other; how long each one takes is in test_login.py.
    """

    @pytest.fixture(autouse=True)
    def does_not_pause(self, monkeypatch):
        monkeypatch.setattr(login, "FIRST_PAUSE_SECONDS", 0.0)

    @pytest.fixture
    async def authenticator(self, tmp_path, recorder):
        path = tmp_path / "passwords"
        path.write_text("ann:{PLAIN}secret\n")
        return SaslAuthenticator(SaslOptions(), PasswordFile(PasswordFileOptions(path=path), recorder))

    @pytest.mark.guards("AU-12")
    async def test_has_three_attempts_a_session(self, start, authenticator, recorder):
        async with start(Inbox(), authenticator=authenticator) as server:
            client = await server.connect()
            client.send("LHLO x", *(plain(b"%d" % number) for number in range(1000)), plain(b"secret"))

            assert ["250", "535", "535", "535", "421"] == codes_in(await client.read_to_end())
        assert [("authentication_failed", "'ann': unknown, or another password")] * 3 == log(recorder)
        assert ["421 4.7.0 Too many failed authentications, closing"] == [
            event.reason for event in recorder.of(observed.SessionClosed)
        ]
        assert [] == recorder.of(observed.Authenticated)

    async def test_from_many_sessions_at_once_has_few_threads_and_little_memory(self, start, authenticator, recorder):
        async with start(Inbox(), authenticator=authenticator) as server:
            clients = [await server.connect() for _ in range(100)]
            with Memory() as memory:
                for client in clients:
                    client.send("LHLO x", *[plain(b"guess")] * 3)
                said = [codes_in(await client.read_to_end()) for client in clients]
                threads = [thread for thread in threading.enumerate() if thread.name.startswith("login-")]

        assert [["250", "535", "535", "535", "421"]] * 100 == said
        assert login.THREADS == len(threads)
        assert memory.peak_bytes < A_SESSION
        assert Counter(authentication_failed=300) == Counter(name for name, _ in log(recorder))

    async def test_with_a_response_without_end_is_refused_without_keeping_it(self, start, authenticator, recorder):
        async with start(Inbox(), authenticator=authenticator) as server:
            client = await server.connect()
            await client.say("LHLO x", "AUTH PLAIN")
            with Memory() as memory:
                await stream(client, PIECE, 256)
                client.write(b"\r\nNOOP\r\n")

                assert ["500", "250"] == await client.read_codes(2)
        assert memory.peak_bytes < MIB
        assert ["500 5.5.6 Authentication line too long"] == [
            str(event.reply) for event in recorder.of(observed.AuthenticationFailed)
        ]

    async def test_with_what_is_no_attempt_ends_as_well(self, start, authenticator, recorder):
        """
        Begun and given up again and again, an exchange costs us more than its client.
        """
        async with start(Inbox(), authenticator=authenticator) as server:
            client = await server.connect()
            client.send("LHLO x", *["AUTH PLAIN", "*"] * 100)

            assert ["250", *["334", "501"] * 19, "334", "421"] == codes_in(await client.read_to_end())
        assert [""] * 20 == [event.detail for event in recorder.of(observed.AuthenticationFailed)]


class TestSlowLoris:
    """
    Many connections that say as little as keeps them open.
    """

    async def drip(self, server, clients, octets, clock):
        """
        Send a little from each client every ten seconds; return after how many the server had enough.
        """
        begin = clock.now
        while server.connections and clock.now < begin + 1000:
            for client in clients:
                client.write(octets)
            await clock.advance(0)
            await clock.advance(10)
        return clock.now - begin

    @pytest.mark.guards("SD-2")
    async def test_with_half_a_command_has_the_time_for_a_whole_one(self, start, recorder, clock):
        async with start(Inbox()) as server:
            clients = [await server.connect() for _ in range(50)]

            assert 300 == await self.drip(server, clients, b"X", clock)
            assert {"421 4.4.2 Waited too long, closing\r\n"} == {await client.read_to_end() for client in clients}
        assert ["421 4.4.2 Waited too long, closing"] * 50 == [
            event.reason for event in recorder.of(observed.SessionClosed)
        ]

    @pytest.mark.parametrize("opening", [b"DATA\r\n", b"BDAT 100000\r\n"], ids=["DATA", "BDAT"])
    async def test_with_a_content_buys_a_five_hundredth_of_a_second_an_octet(self, start, recorder, clock, opening):
        inbox = Inbox()
        async with start(inbox) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>", "RCPT TO:<ann@example.org>")
            client.write(opening)

            assert 310 == await self.drip(server, [client], b"X", clock), "thirty octets bought less than a second"
            assert (await client.read_to_end()).endswith("421 4.4.2 Waited too long, closing\r\n")
        assert [] == inbox.contents
        assert [("transaction_aborted", "421 4.4.2 Waited too long, closing")] == log(recorder)

    async def test_with_a_line_without_end_buys_no_time(self, start, recorder, clock):
        """
        What is thrown away is never answered twice, and no number of octets keeps the connection open.
        """
        async with start(Inbox()) as server:
            client = await server.connect()

            assert 300 == await self.drip(server, [client], PIECE, clock)
            assert ["500", "421"] == codes_in(await client.read_to_end())
        assert ["command_refused"] == [name for name, _ in log(recorder)]

    async def test_with_a_chunk_that_was_refused_buys_no_time(self, start, recorder, clock):
        async with start(Inbox()) as server:
            client = await server.connect()
            client.write(b"BDAT 99999999999999999999\r\n")

            assert 300 == await self.drip(server, [client], PIECE, clock)
            assert ["421"] == codes_in(await client.read_to_end())
        assert ["421 4.4.2 Waited too long, closing"] == [event.reason for event in recorder.of(observed.SessionClosed)]

    async def test_with_a_proxy_header_is_cut_without_a_word(self, start, recorder, clock):
        admittance = Admittance(access=Access(proxy=Peers.parse(["unix"])))
        async with start(Inbox(), admittance=admittance) as server:
            client = await server.connect(greeted=False)
            client.write(b"PROXY UNKNOWN ")
            while not server.connections:
                await asyncio.sleep(0)

            assert 300 == await self.drip(server, [client], b"X", clock)
            assert b"" == await client.read_some()
        assert [("arrival_failed", "PROXY header took too long")] == log(recorder)

    async def test_with_replies_it_does_not_read_is_cut(self, start, recorder, clock):
        async with start(Inbox()) as server:
            client = await server.connect()
            client.writer.transport.pause_reading()
            client.write(b"LHLO x\r\n" * 10_000)
            [connection] = server._connections
            while not connection._is_writing_paused:
                await asyncio.sleep(0)
            await clock.advance(server.settings.deadlines.command_seconds + 1)
            [closed] = await recorder.wait_for(observed.SessionClosed)

        assert "the client did not take our replies" == closed.reason

    async def test_from_everywhere_leaves_the_others_a_word(self, start, recorder):
        async with start(Inbox(), connections=20) as server:
            for _ in range(20):
                (await server.connect()).write(b"LH")
            another = await server.connect(greeted=False)

            assert ["421"] == codes_in(await another.read_to_end())
        assert ["session_refused"] == [name for name, _ in log(recorder)]


class TestEndlessLine:
    """
    A gigabyte without a line end.
    """

    @pytest.mark.slow
    @pytest.mark.guards("SZ-9")
    async def test_as_a_command_is_refused_once_and_not_kept(self, start, recorder):
        async with start(Inbox()) as server:
            client = await server.connect()
            with Memory() as memory:
                await stream(client, PIECE, 1024 * MIB // len(PIECE))
                client.write(b"\r\nNOOP\r\n")

                assert ["500 5.5.2 Line too long\r\n", "250 2.0.0 Ok\r\n"] == [
                    await client.read_reply() for _ in range(2)
                ]
        assert memory.peak_bytes < MIB
        assert [("command_refused", "")] == [(name, said) for name, said in log(recorder)]
        assert ["500 5.5.2 Line too long"] == [str(event.reply) for event in recorder.of(observed.CommandRefused)]

    @pytest.mark.slow
    async def test_as_a_content_is_refused_at_its_end_and_not_kept(self, start, recorder):
        """
        A quarter of one: each octet of a content is looked at.
        """
        inbox = Inbox()
        async with start(inbox, limits=lmtp.Limits(message_bytes=MIB)) as server:
            client = await server.connect()
            await client.open_transaction("ann")
            with Memory() as memory:
                await stream(client, PIECE, 256 * MIB // len(PIECE))
                client.write(b"\r\n.\r\nNOOP\r\n")

                assert ["552", "250"] == await client.read_codes(2)
        assert [] == inbox.contents
        assert memory.peak_bytes < MIB
        assert [("recipient_settled", "<ann@example.org>")] == log(recorder)


class Tally:
    """
    An observer that only counts, and so costs no memory.
    """

    def __init__(self):
        self.names = Counter()

    def observe(self, event):
        self.names[event_name(event)] += 1


class TestManyRecipients:
    """
    A hundred thousand of them, in one transaction.
    """

    RECIPIENTS = b"".join(b"RCPT TO:<user%d@example.org>\r\n" % number for number in range(1000))

    @pytest.mark.slow
    async def test_beyond_the_limit_are_refused_one_by_one_and_not_kept(self, start, recorder, monkeypatch):
        tally = Tally()
        monkeypatch.setattr(recorder, "observe", tally.observe)
        inbox = Inbox()
        async with start(inbox) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>")
            before = await flood(client, self.RECIPIENTS, 90, replies=90_000)
            with Memory() as memory:
                after = await flood(client, self.RECIPIENTS, 10, replies=10_000)

            assert ({"250": 1000, "452": 89_000}, {"452": 10_000}) == (before, after)
            assert ["354"] == await client.say("DATA")

            client.send("hello", ".")

            assert {"250": 1000} == await count_replies(client, 1000)
        assert memory.peak_bytes < A_SESSION
        assert 1000 == len(inbox.transactions[0].recipients)
        assert (99_000, 1000) == (tally.names["recipient_refused"], tally.names["recipient_settled"])

    @pytest.mark.slow
    async def test_that_nobody_decides_about_are_not_even_read(self, start, recorder):
        may_decide = asyncio.Event()

        class Undecided(Inbox):
            async def verify(self, recipient, transaction):
                await may_decide.wait()
                return lmtp.Failed("5.1.1")

        async with start(Undecided()) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>")
            with Memory() as memory:
                client.write(self.RECIPIENTS * 5)
                await until_held_back(client)
            [connection] = server._connections

            assert connection._is_reading_paused
            client.writer.transport.abort()
            may_decide.set()
            await recorder.wait_for(observed.TransactionAborted)
        assert memory.peak_bytes < 2 * A_SESSION, "a thousand verdicts are waited for"


OUT_OF_STEP = "421 4.5.0 Can't tell commands from content any more, closing"


class TestAbsurdChunks:
    """
    BDAT with sizes nobody means.
    """

    @pytest.mark.guards("CH-5")
    @pytest.mark.parametrize("size", ["-1", "+1", "0x10", "1e9", "1.5", "", "LAST", "9" * 21, "9" * 4000, "1 1"])
    async def test_that_are_no_number_end_the_session_before_anything_behind_them(self, start, recorder, size):
        inbox = Inbox()
        async with start(inbox) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>", "RCPT TO:<ann@example.org>")
            client.write(f"BDAT {size}\r\n".encode() + FORGED)

            assert ["501", "421"] == codes_in(await client.read_to_end())
        assert [] == inbox.contents
        assert [("command_refused", f"BDAT {size}"[:200]), ("transaction_aborted", OUT_OF_STEP)] == log(recorder)

    async def test_of_ten_exabytes_are_waited_for_without_keeping_anything(self, start, recorder):
        inbox = Inbox()
        async with start(inbox) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>", "RCPT TO:<ann@example.org>")
            with Memory() as memory:
                client.write(b"BDAT 10000000000000000000 LAST\r\n")
                await stream(client, PIECE, 512)
                client.writer.write_eof()

                assert "" == await client.read_to_end()
        assert memory.peak_bytes < MIB
        assert [] == inbox.contents
        assert [("transaction_aborted", "client left")] == log(recorder)

    @pytest.mark.slow
    @pytest.mark.guards("CH-6", "CH-18")
    @pytest.mark.parametrize(
        ("last", "replies"), [(b"", ["552", "250"]), (b" LAST", ["552", "552", "250"])], ids=["", "last"]
    )
    async def test_of_a_gigabyte_are_read_and_refused(self, start, recorder, *, last, replies):
        inbox = Inbox()
        async with start(inbox) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>", "RCPT TO:<ann@example.org>", "RCPT TO:<bob@example.org>")
            with Memory() as memory:
                client.write(b"BDAT %d%s\r\n" % (1024 * MIB, last))
                await stream(client, PIECE, 1024 * MIB // len(PIECE))
                client.write(b"NOOP\r\n")

                assert replies == await client.read_codes(len(replies))
        assert memory.peak_bytes < MIB
        assert [] == inbox.contents

    @pytest.mark.slow
    async def test_for_nobody_are_read_and_not_kept(self, start):
        async with start(Inbox()) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>")
            with Memory() as memory:
                client.write(b"BDAT %d LAST\r\n" % (32 * MIB))
                await stream(client, PIECE, 32 * MIB // len(PIECE))

                assert ["250"] == await client.say("NOOP"), "a reply for each recipient, and there is none"
        assert memory.peak_bytes < MIB

    @pytest.mark.slow
    async def test_of_nothing_cost_nothing(self, start, recorder):
        inbox = Inbox()
        async with start(inbox) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>", "RCPT TO:<ann@example.org>")
            with Memory() as memory:
                assert {"250": 20_000} == await flood(client, b"BDAT 0\r\n" * 1000, 20, replies=20_000)
                assert ["250"] == await client.say("BDAT 0 LAST")
        assert memory.peak_bytes < A_SESSION
        assert [b""] == inbox.contents
        assert [("recipient_settled", "<ann@example.org>")] == log(recorder)

    async def test_of_two_octets_take_no_more_memory_than_they_say(self, start):
        inbox = Inbox()
        async with start(inbox) as server:
            client = await server.connect()
            await client.say("LHLO x", "MAIL FROM:<>", "RCPT TO:<ann@example.org>")
            with Memory() as memory:
                assert {"250": 30_000} == await flood(client, b"BDAT 2\r\nab" * 1000, 30, replies=30_000)

            assert ["250"] == await client.say("BDAT 0 LAST")
        assert [b"ab" * 30_000] == inbox.contents
        assert memory.peak_bytes < 4 * 1024 * 1024


class TestManyGreetings:
    """
    Ten thousand LHLOs.
    """

    @pytest.mark.slow
    async def test_are_all_answered_to_a_client_that_reads(self, start, recorder):
        async with start(Inbox()) as server:
            client = await server.connect()
            with Memory() as memory:
                assert {"250": 10_000} == await flood(client, b"LHLO x\r\n" * 1000, 10, replies=10_000)
        assert memory.peak_bytes < A_SESSION
        assert [] == log(recorder), "there is nothing an operator could do about it"
        assert [0] == [event.transactions for event in recorder.of(observed.SessionClosed)]

    @pytest.mark.slow
    async def test_each_of_which_drops_a_transaction_leave_none_open(self, start, recorder):
        inbox = Inbox()
        async with start(inbox) as server:
            client = await server.connect()
            opening = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\n"
            with Memory() as memory:
                assert {"250": 6000} == await flood(client, opening * 100, 20, replies=6000)
        assert [] == inbox.contents
        assert memory.peak_bytes < A_SESSION + 2 * MIB, "with the two thousand events the test keeps"
        assert {("transaction_aborted", "greeted again"): 1999, ("transaction_aborted", "client left"): 1} == Counter(
            log(recorder)
        )

    @pytest.mark.slow
    async def test_of_a_client_that_does_not_read_are_left_unread(self, start, recorder):
        async with start(Inbox()) as server:
            client = await server.connect()
            client.writer.transport.pause_reading()
            with Memory() as memory:
                client.write(b"LHLO x\r\n" * 10_000)
                await until_held_back(client)
            [connection] = server._connections

            assert connection._is_writing_paused
            assert connection._is_reading_paused
            assert connection._transport.get_write_buffer_size() < 3 * MAX_READY
            client.writer.transport.abort()
        assert memory.peak_bytes < A_SESSION
        assert 1 == len(recorder.of(observed.SessionClosed))
