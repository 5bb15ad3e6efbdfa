# SPDX-License-Identifier: Apache-2.0
"""
AUTH on real sockets: every mechanism with a client of its own, what wrong credentials cost, and what a fault of ours.
"""

import asyncio
import base64
import hashlib
import os
import socket
import struct
import threading

import pytest
from scramp import ScramClient

import lmtp
from lmtp.aio import login
from lmtp.aio.admission import Admittance
from lmtp.aio.login import LONGEST_PAUSE_SECONDS, PATIENCE_SECONDS, NobodyAuthenticates
from lmtp.auth.authenticator import SaslAuthenticator, SaslOptions
from lmtp.auth.password_file import PasswordFile, PasswordFileOptions
from lmtp.auth.scram import SCRAM_SHA_256, SCRAM_SHA_256_PLUS
from lmtp.observe import events as observed
from lmtp.protocol.extensions import Demand
from lmtp.protocol.sasl import Authenticated, Challenge, Channel, Rejected
from tests.aio.conftest import MX, STORE, Inbox

RIGHT, WRONG = b"\0ann\0secret", b"\0ann\0guess"
UNIX_USER = f"uid:{os.geteuid()}"
WRONG_CREDENTIALS = "535 5.7.8 Authentication credentials invalid\r\n"


def encoded(octets):
    return base64.b64encode(octets).decode()


def plain(response):
    return f"AUTH PLAIN {encoded(response)}"


async def speak_scram(client, mechanism, scram):
    """
    Let a real client of SCRAM authenticate; return the last reply.
    """
    said = await client.ask(f"AUTH {mechanism} {encoded(scram.get_client_first().encode())}")
    if said.startswith("334 "):
        scram.set_server_first(base64.b64decode(said[4:]).decode())
        said = await client.ask(encoded(scram.get_client_final().encode()))
    if said.startswith("334 "):
        scram.set_server_final(base64.b64decode(said[4:]).decode())  # it checks who the server is
        said = await client.ask("")
    return said


def bound_to(issued):
    return "tls-server-end-point", hashlib.sha256(der_of(issued)).digest()


def der_of(issued):
    return base64.b64decode(b"".join(issued.cert_chain_pems[0].bytes().splitlines()[1:-1]))


async def greet(client):
    """
    Say LHLO and return the mechanisms that are offered.
    """
    offer = await client.ask("LHLO client.example")
    return next((line[9:].split() for line in offer.splitlines() if line[4:].startswith("AUTH ")), [])


async def deliver(client):
    assert ["250", "250", "354"] == await client.say("MAIL FROM:<>", "RCPT TO:<ann@example.org>", "DATA")
    assert ["250"] == await client.say("hello\r\n.")


def reset(client):
    """
    Be gone in a way that is noticed at once: whoever only closes may still be there to listen.
    """
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


async def turns():
    """
    Let the loop do all it can without waiting.
    """
    for _ in range(12):
        await asyncio.sleep(0)


class Immediately:
    """
    Threads that are none: a step is taken when it is asked for.
    """

    async def run(self, call):
        return call()

    def close(self):
        pass


class Ann:
    """
    An authenticator and an exchange, for PLAIN: there is ann, and her password is secret.
    """

    def mechanisms(self, _channel):
        return ("PLAIN",)

    def begin(self, _mechanism, _channel):
        return self

    def step(self, response):
        if response is None:
            return Challenge(b"")
        return Authenticated("ann") if response == RIGHT else Rejected(detail="'ann': another password")


@pytest.fixture
def does_not_pause(monkeypatch):
    """
    Answer wrong credentials at once.
    """
    monkeypatch.setattr(login, "FIRST_PAUSE_SECONDS", 0.0)


@pytest.fixture
def passwords(tmp_path, recorder):
    """
    Make the authenticator of a server with one user.
    """

    async def load(**options):
        path = tmp_path / "passwords"
        path.write_text("ann:{PLAIN}secret\n")
        file = PasswordFile(PasswordFileOptions(path=path), recorder)
        await file.load()
        return SaslAuthenticator(SaslOptions(**options), file)

    return load


@pytest.mark.usefixtures("does_not_pause")
class TestPlain:
    """
    RFC 4616, where nobody can listen.
    """

    @pytest.mark.parametrize("at", ["unix:{folder}/lmtp.sock", "127.0.0.1:0", "127.0.0.1:0,tls"])
    async def test_proves_who_the_client_is(self, start, passwords, certificate, recorder, *, tmp_path, at):
        inbox, tls = Inbox(), await certificate.load()
        admittance = Admittance(demands=Demand.AUTHENTICATION)
        async with start(
            inbox, at=at.format(folder=tmp_path), tls=tls, authenticator=await passwords(), admittance=admittance
        ) as server:
            client = await server.connect()

            assert "PLAIN" in await greet(client)
            assert ["530"] == await client.say("MAIL FROM:<>")
            assert "235 2.7.0 Authenticated\r\n" == await client.ask(plain(RIGHT))

            await deliver(client)
        session = inbox.transactions[0].session
        [authenticated] = recorder.of(observed.Authenticated)

        assert ("ann", True) == (session.identity, session.is_authenticated)
        assert ("PLAIN", "ann", session.peer) == (
            authenticated.mechanism,
            authenticated.identity,
            authenticated.peer,
        )
        assert ["ann"] == [event.identity for event in recorder.of(observed.RecipientSettled)]

    async def test_may_wait_for_the_challenge(self, start, passwords):
        async with start(Inbox(), authenticator=await passwords()) as server:
            client = await server.connect()
            await greet(client)

            assert ["334 \r\n", "235 2.7.0 Authenticated\r\n"] == [
                await client.ask(line) for line in ("AUTH PLAIN", encoded(RIGHT))
            ]

    async def test_with_another_password_is_told_nothing_but_that(self, start, passwords, recorder):
        async with start(Inbox(), authenticator=await passwords()) as server:
            client = await server.connect()
            await greet(client)

            assert WRONG_CREDENTIALS == await client.ask(plain(WRONG))
            assert WRONG_CREDENTIALS == await client.ask(plain(b"\0nobody\0guess"))
            assert ["235"] == await client.say(plain(RIGHT))
        assert ["'ann': unknown, or another password", "'nobody': unknown, or another password"] == [
            event.detail for event in recorder.of(observed.AuthenticationFailed)
        ]


@pytest.mark.usefixtures("does_not_pause")
class TestScram:
    """
    RFC 5802, by a client that does not know our code.
    """

    async def test_proves_who_the_client_is_and_who_we_are(self, start, passwords, recorder):
        async with start(Inbox(), at="127.0.0.1:0", authenticator=await passwords()) as server:
            client = await server.connect()

            assert [SCRAM_SHA_256, "PLAIN"] == await greet(client)

            scram = ScramClient([SCRAM_SHA_256], "ann", "secret")

            assert "235 2.7.0 Authenticated\r\n" == await speak_scram(client, SCRAM_SHA_256, scram)
        assert [(SCRAM_SHA_256, "ann")] == [
            (event.mechanism, event.identity) for event in recorder.of(observed.Authenticated)
        ]

    async def test_with_another_password_fails(self, start, passwords):
        async with start(Inbox(), authenticator=await passwords()) as server:
            client = await server.connect()
            await greet(client)
            scram = ScramClient([SCRAM_SHA_256], "ann", "guess")

            assert WRONG_CREDENTIALS == await speak_scram(client, SCRAM_SHA_256, scram)

    async def test_is_bound_to_the_certificate_under_tls(self, start, passwords, certificate, recorder):
        tls = await certificate.load()
        async with start(Inbox(), at="127.0.0.1:0,tls", tls=tls, authenticator=await passwords()) as server:
            client = await server.connect()
            scram = ScramClient([SCRAM_SHA_256_PLUS], "ann", "secret", channel_binding=bound_to(STORE))

            assert [SCRAM_SHA_256_PLUS, SCRAM_SHA_256, "PLAIN"] == await greet(client)
            assert "235 2.7.0 Authenticated\r\n" == await speak_scram(client, SCRAM_SHA_256_PLUS, scram)
        assert [SCRAM_SHA_256_PLUS] == [event.mechanism for event in recorder.of(observed.Authenticated)]

    async def test_is_bound_after_starttls_as_well(self, start, passwords, certificate):
        async with start(Inbox(), tls=await certificate.load(), authenticator=await passwords()) as server:
            client = await server.connect()

            assert SCRAM_SHA_256_PLUS not in await greet(client)
            assert ["220"] == await client.say("STARTTLS")

            client = await client.start_tls().shake_hands()
            scram = ScramClient([SCRAM_SHA_256_PLUS], "ann", "secret", channel_binding=bound_to(STORE))

            assert SCRAM_SHA_256_PLUS in await greet(client)
            assert "235 2.7.0 Authenticated\r\n" == await speak_scram(client, SCRAM_SHA_256_PLUS, scram)

    async def test_made_for_somebody_in_between_is_worth_nothing(self, start, passwords, certificate):
        tls = await certificate.load()
        async with start(Inbox(), at="127.0.0.1:0,tls", tls=tls, authenticator=await passwords()) as server:
            client = await server.connect()
            await greet(client)
            scram = ScramClient([SCRAM_SHA_256_PLUS], "ann", "secret", channel_binding=bound_to(MX))

            assert WRONG_CREDENTIALS == await speak_scram(client, SCRAM_SHA_256_PLUS, scram)

    async def test_of_a_client_that_was_not_shown_plus_fails(self, start, passwords, certificate):
        """
        Somebody took it out of the list: the client says that it could, and we know that we offered it (RFC 5802 §6).
        """
        tls = await certificate.load()
        async with start(Inbox(), at="127.0.0.1:0,tls", tls=tls, authenticator=await passwords()) as server:
            client = await server.connect()
            await greet(client)
            scram = ScramClient([SCRAM_SHA_256], "ann", "secret", channel_binding=bound_to(STORE))

            assert WRONG_CREDENTIALS == await speak_scram(client, SCRAM_SHA_256, scram)


@pytest.mark.usefixtures("does_not_pause")
class TestExternal:
    """
    RFC 4422 appendix A: whoever the connection says it is.
    """

    async def test_is_the_name_in_a_certificate(self, start, certificate, recorder):
        authenticator = SaslAuthenticator(SaslOptions(external_identities=("mx.example.org",)))
        tls = await certificate.load("optional")
        async with start(Inbox(), at="127.0.0.1:0,tls", tls=tls, authenticator=authenticator) as server:
            client = await server.connect(issued=MX)

            assert ["EXTERNAL"] == await greet(client)
            assert ["235"] == await client.say("AUTH EXTERNAL =")
        assert ["mx.example.org"] == [event.identity for event in recorder.of(observed.Authenticated)]

    async def test_is_the_user_of_a_process(self, start, recorder):
        authenticator = SaslAuthenticator(SaslOptions(external_identities=(UNIX_USER,)))
        async with start(Inbox(), authenticator=authenticator) as server:
            client = await server.connect()
            await greet(client)

            assert ["235"] == await client.say(f"AUTH EXTERNAL {encoded(UNIX_USER.encode())}")
        assert [UNIX_USER] == [event.identity for event in recorder.of(observed.Authenticated)]

    async def test_is_nobody_else(self, start, recorder):
        authenticator = SaslAuthenticator(SaslOptions(external_identities=(UNIX_USER,)))
        async with start(Inbox(), authenticator=authenticator) as server:
            client = await server.connect()
            await greet(client)

            assert WRONG_CREDENTIALS == await client.ask(f"AUTH EXTERNAL {encoded(b'root')}")
        assert [f"{UNIX_USER} may not act for b'root'"] == [
            event.detail for event in recorder.of(observed.AuthenticationFailed)
        ]

    @pytest.mark.parametrize("issued", [None, MX], ids=["without a certificate", "with another name"])
    async def test_is_not_offered_to_strangers(self, start, certificate, issued):
        authenticator = SaslAuthenticator(SaslOptions(external_identities=("mx2.example.org",)))
        tls = await certificate.load("optional")
        async with start(Inbox(), at="127.0.0.1:0,tls", tls=tls, authenticator=authenticator) as server:
            client = await server.connect(issued=issued)

            assert [] == await greet(client)
            assert ["502"] == await client.say("AUTH EXTERNAL =")


def start_with_ann(start, authenticator=None, **settings):
    return start(Inbox(), authenticator=authenticator or Ann(), **settings)


async def greeted(server):
    server.login_threads = Immediately()
    client = await server.connect()
    await greet(client)
    return client


async def seconds_until(answer, clock):
    """
    Return for how many seconds of the clock an answer is waited for.
    """
    task, begin = asyncio.ensure_future(answer), clock.now
    await turns()
    while not task.done():
        await clock.advance(0.5)
        await turns()
    await task
    return clock.now - begin


class TestPause:
    """
    Wrong credentials are answered later and later; nobody else waits for that.
    """

    async def test_grows_twofold_up_to_a_bound(self, start, clock):
        async with start_with_ann(start, limits=lmtp.Limits(authentication_failures=10)) as server:
            client = await greeted(server)
            pauses = [await seconds_until(client.ask(plain(WRONG)), clock) for _ in range(6)]

            assert [1, 2, 4, 8, 8, 8] == pauses
            assert LONGEST_PAUSE_SECONDS == max(pauses)

            assert 0 == await seconds_until(client.ask(plain(RIGHT)), clock)

    async def test_of_many_thousand_attempts_has_a_bound_too(self, start, clock):
        async with start_with_ann(start, limits=lmtp.Limits(authentication_failures=2000)) as server:
            client = await greeted(server)
            client.send(*[plain(WRONG)] * 1500)
            for _ in range(1500):
                await turns()
                await clock.advance(LONGEST_PAUSE_SECONDS)

            assert ["535"] * 1500 == await client.read_codes(1500)

    async def test_is_none_when_credentials_could_not_be_checked(self, start, clock):
        class Down(Ann):
            def step(self, response):
                return Rejected("4.7.0", "the file is gone")

        async with start_with_ann(start, Down()) as server:
            client = await greeted(server)

            assert 0 == await seconds_until(client.ask(plain(WRONG)), clock)

    async def test_is_none_for_what_is_no_guess(self, start, clock):
        async with start_with_ann(start) as server:
            client = await greeted(server)
            await client.ask("AUTH PLAIN")

            assert 0 == await seconds_until(client.ask("*"), clock)
            assert 0 == await seconds_until(client.ask("AUTH PLAIN not*base64"), clock)

    async def test_holds_up_nobody_else(self, start, clock):
        async with start_with_ann(start) as server:
            guesser, other = await greeted(server), await greeted(server)
            guesser.send(plain(WRONG))
            await turns()

            assert 0 == await seconds_until(other.ask(plain(RIGHT)), clock)
            await deliver(other)

            assert 1 == await seconds_until(guesser.read_reply(), clock)

    async def test_leaves_commands_behind_it_to_wait_their_turn(self, start, clock):
        async with start_with_ann(start) as server:
            client = await greeted(server)
            client.send(plain(WRONG), "NOOP", plain(WRONG))

            assert 1 == await seconds_until(client.read_codes(2), clock)
            assert 2 == await seconds_until(client.read_reply(), clock)

    async def test_of_a_client_that_does_not_wait_for_it_is_no_secret_to_the_log(self, start, clock, recorder):
        """
        Whoever leaves before the answer, to guess again at once, has guessed wrong all the same.
        """
        async with start_with_ann(start, at="127.0.0.1:0") as server:
            client = await greeted(server)
            client.send(plain(WRONG))
            await turns()
            reset(client)
            [failed] = await recorder.wait_for(observed.AuthenticationFailed)
            await recorder.wait_for(observed.SessionClosed)

        assert ("PLAIN", "'ann': another password") == (failed.mechanism, failed.detail)
        assert WRONG_CREDENTIALS == bytes(failed.reply).decode()

    async def test_is_waited_for_also_when_the_client_has_closed_its_side(self, start, clock, recorder):
        async with start_with_ann(start) as server:
            client = await greeted(server)
            client.send(plain(WRONG))
            client.writer.write_eof()

            assert 1 == await seconds_until(client.read_reply(), clock)
            assert "" == await client.read_to_end()
        assert ["'ann': another password"] == [event.detail for event in recorder.of(observed.AuthenticationFailed)]

    async def test_ends_with_the_third_failure_in_a_close(self, start, clock, recorder):
        async with start_with_ann(start) as server:
            client = await greeted(server)
            client.send(*[plain(WRONG)] * 3, plain(RIGHT))

            assert 7 == await seconds_until(client.read_codes(3), clock)
            assert "421 4.7.0 Too many failed authentications, closing\r\n" == await client.read_to_end()
        assert [] == recorder.of(observed.Authenticated)


class TestShutdown:
    """
    A server that goes down waits for no pause longer than for anything else.
    """

    async def test_that_can_wait_does_not_wait_for_a_pause(self, start, clock):
        async with start_with_ann(start) as server:
            client = await greeted(server)
            client.send(plain(WRONG))
            await turns()
            draining = asyncio.ensure_future(server.drain())

            assert 0 == await seconds_until(client.read_reply(), clock)
            assert "421 4.3.2 Shutting down\r\n" == await client.read_to_end()

            client.writer.close()
            assert await draining

    async def test_that_can_not_answers_at_once_what_is_known(self, start, clock, recorder):
        async with start_with_ann(start) as server:
            client = await greeted(server)
            client.send(plain(WRONG))
            await turns()
            stopping = asyncio.ensure_future(server.stop())

            assert 0 == await seconds_until(client.read_reply(), clock)
            assert "421 4.3.2 Shutting down\r\n" == await client.read_to_end()

            client.writer.close()
            await stopping
        assert ["'ann': another password"] == [event.detail for event in recorder.of(observed.AuthenticationFailed)]

    async def test_that_can_not_has_the_client_try_again_when_nothing_is_known(self, start, recorder):
        exchange = Hanging()
        async with start(Inbox(), authenticator=exchange) as server:
            client = await server.connect()
            await greet(client)
            client.send(plain(RIGHT))
            await asyncio.to_thread(exchange.begun.wait)
            await server.stop(patience_seconds=0.01)
            exchange.may_go_on.set()

            assert ["454 4.7.0", "421 4.3.2"] == [line[:9] for line in (await client.read_to_end()).splitlines()]
        assert ["the session was closed meanwhile"] == [
            event.detail for event in recorder.of(observed.AuthenticationFailed)
        ]


class Hanging(Ann):
    """
    An exchange whose file is far away.
    """

    def __init__(self):
        self.begun, self.may_go_on = threading.Event(), threading.Event()

    def step(self, response):
        self.begun.set()
        self.may_go_on.wait()
        return super().step(response)


class TestFault:
    """
    Whatever an authenticator does, the client gets an answer and may try again.
    """

    class Raises(Ann):
        def step(self, response):
            raise KeyError("secret")

    class DoesNotBegin(Ann):
        def begin(self, mechanism, channel):
            raise ZeroDivisionError

    class SaysNothing(Ann):
        def step(self, response):
            return None

    class KnowsNobody(Ann):
        def step(self, response):
            return Authenticated("")

    @pytest.mark.parametrize("kind", [Raises, DoesNotBegin, SaysNothing, KnowsNobody])
    async def test_is_answered_454_and_reported(self, start, recorder, kind):
        async with start(Inbox(), authenticator=kind()) as server:
            client = await server.connect()
            await greet(client)

            assert (await client.ask(plain(RIGHT))).startswith("454 4.7.0 ")
            assert ["250"] == await client.say("NOOP")
        assert ["authenticating"] == [event.doing for event in recorder.of(observed.HandlerFailed)]
        assert ["the authenticator failed"] == [event.detail for event in recorder.of(observed.AuthenticationFailed)]

    async def test_that_takes_too_long_is_one(self, start, recorder, clock):
        exchange = Hanging()
        async with start(Inbox(), authenticator=exchange) as server:
            client = await server.connect()
            await greet(client)
            client.send(plain(RIGHT))
            await asyncio.to_thread(exchange.begun.wait)
            await clock.advance(PATIENCE_SECONDS + 1)

            assert (await client.read_reply()).startswith("454 4.7.0 ")
            exchange.may_go_on.set()
        assert isinstance(recorder.of(observed.HandlerFailed)[0].error, TimeoutError)

    async def test_of_a_client_that_leaves_is_none(self, start, recorder):
        exchange = Hanging()
        async with start(Inbox(), at="127.0.0.1:0", authenticator=exchange) as server:
            client = await server.connect()
            await greet(client)
            client.send(plain(RIGHT))
            await asyncio.to_thread(exchange.begun.wait)
            reset(client)
            await recorder.wait_for(observed.SessionClosed)
            exchange.may_go_on.set()
        assert [] == recorder.of(observed.HandlerFailed)
        assert ["the session ended first"] == [event.detail for event in recorder.of(observed.AuthenticationFailed)]


class TestNobody:
    """
    A server without an authenticator.
    """

    def test_offers_nothing(self):
        assert () == NobodyAuthenticates().mechanisms(Channel())

    def test_begins_nothing(self):
        with pytest.raises(lmtp.LocalProtocolError, match="PLAIN was not offered"):
            NobodyAuthenticates().begin("PLAIN", Channel())
