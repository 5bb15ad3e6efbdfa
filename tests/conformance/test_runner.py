# SPDX-License-Identifier: Apache-2.0
"""
The runner: order, needs, deadlines, servers that crash, hang or are gone.
"""

import asyncio
from dataclasses import replace

import pytest

from lmtp.conformance.cases import all_cases
from lmtp.conformance.model import MUST, Case, Outcome
from lmtp.conformance.runner import Runner, probe
from lmtp.conformance.server import Credentials, Offers, Server, Setup, Tls
from lmtp.conformance.session import PreconditionError, Session, UnreachableError
from lmtp.conformance.transcript import Transcript
from lmtp.conformance.wire import TcpTarget, UnixTarget
from lmtp.testing.scripted import Conversation, serving


def case_of(run, *needs, case_id="X-1"):
    return Case(case_id, MUST, "RFC 0", "it works", "x", needs, run)


async def results_of(bench, *cases, **settings):
    runner = Runner(await probe(bench.setup(**settings)), parallel=2)
    return [result async for result in runner.run(cases)], runner


class Silent(Conversation):
    async def noop(self, rest):
        pass


class Hostile(Conversation):
    def greet(self):
        self.reply(554, "", "Go away")


class ClosesAtLhlo(Conversation):
    async def lhlo(self, rest):
        self.is_over = True


class RefusesLhlo(Conversation):
    async def lhlo(self, rest):
        self.reply(500, "5.5.1", "Unknown")


class Busy(Conversation):
    left = 2

    def greet(self):
        if Busy.left:
            Busy.left -= 1
            self.reply(421, "4.3.2", "Too many connections")
            self.is_over = True
        else:
            super().greet()


class TestOrder:
    async def test_is_that_of_the_cases(self, bench):
        async def slow(_session):
            await asyncio.sleep(0.05)

        async def fast(_session):
            pass

        async with bench.serving():
            results, _ = await results_of(bench, case_of(slow, case_id="A"), case_of(fast, case_id="B"))

        assert ["A", "B"] == [result.case.case_id for result in results]
        assert [Outcome.PASSED, Outcome.PASSED] == [result.outcome for result in results]

    async def test_ends_when_the_reader_stops(self, bench):
        began = []

        async def endless(_session):
            began.append(1)
            await asyncio.Event().wait()

        async def fast(_session):
            pass

        async with bench.serving():
            runner = Runner(await probe(bench.setup()), parallel=2)
            results = runner.run([case_of(fast), case_of(endless, case_id="B")])
            await anext(results)
            await results.aclose()

        assert [1] == began


class TestOutcome:
    async def run(self, bench, run, kind=Conversation, **settings):
        async with bench.serving(kind):
            (result,), _ = await results_of(bench, case_of(run), **settings)
        return result

    async def test_of_a_missing_need_is_skipped_with_the_reason(self, bench):
        async with bench.serving():
            (result,), _ = await results_of(bench, case_of(None, lambda _server: "", lambda _server: "no luck"))

        assert (Outcome.SKIPPED, "no luck") == (result.outcome, result.reason)

    async def test_of_something_else_is_failed_with_what_came_and_a_transcript(self, bench):
        async def run(session):
            await session.open()
            await session.expect("NOOP", "354")

        result = await self.run(bench, run)

        assert Outcome.FAILED is result.outcome
        assert ("354", "250 2.0.0 Ok") == (result.expected, result.reason)
        assert r"C: NOOP\r\n" in result.transcript

    async def test_of_an_unmet_precondition_is_inconclusive(self, bench):
        async def run(session):
            await session.open()
            await session.given("WIBBLE")

        result = await self.run(bench, run)

        assert Outcome.INCONCLUSIVE is result.outcome
        assert "WIBBLE was answered 500" in result.reason

    async def test_of_what_does_not_concern_the_server_is_skipped(self, bench):
        async def run(session):
            raise session.out_of_scope("not here")

        assert Outcome.SKIPPED is (await self.run(bench, run)).outcome

    async def test_of_silence_is_failed_where_a_reply_was_due(self, bench):
        async def run(session):
            await session.open()
            await session.expect("NOOP", "250")

        result = await self.run(bench, run, Silent, timeout_seconds=0.05)

        assert (Outcome.FAILED, "a reply") == (result.outcome, result.expected)

    async def test_of_silence_on_the_way_is_inconclusive(self, bench):
        async def run(session):
            await session.open()
            await session.given("NOOP", "250")

        assert Outcome.INCONCLUSIVE is (await self.run(bench, run, Silent, timeout_seconds=0.05)).outcome

    async def test_of_a_case_that_takes_too_long_is_inconclusive(self, bench):
        async def run(_session):
            await asyncio.Event().wait()

        result = await self.run(bench, run, timeout_seconds=0.02)

        assert (Outcome.INCONCLUSIVE, "it took too long") == (result.outcome, result.reason)

    async def test_of_a_transient_refusal_is_inconclusive(self, bench):
        class Troubled(Conversation):
            async def noop(self, rest):
                self.reply(451, "4.3.0", "Trouble")

        async def run(session):
            await session.open()
            await session.expect("NOOP", "250")

        assert Outcome.INCONCLUSIVE is (await self.run(bench, run, Troubled)).outcome

    @pytest.mark.parametrize("code", [421, 530])
    async def test_of_a_reply_that_says_nothing_is_inconclusive(self, bench, code):
        class Reserved(Conversation):
            async def noop(self, rest):
                self.reply(code, f"{code // 100}.7.0", "Not you")

        async def run(session):
            await session.open()
            await session.expect("NOOP", "250", "5yz")

        assert Outcome.INCONCLUSIVE is (await self.run(bench, run, Reserved)).outcome

    async def test_waits_while_there_are_too_many_connections(self, bench):
        Busy.left = 2

        async def run(session):
            await session.open()

        async with bench.serving(Busy):
            runner = Runner(Server(bench.setup(), Offers(), Offers()), parallel=1)
            (result,) = [result async for result in runner.run([case_of(run)])]

        assert Outcome.PASSED is result.outcome


class TestServerThatIsGone:
    async def test_before_the_first_case_is_told_by_the_probe(self, bench):
        with pytest.raises(UnreachableError):
            await probe(bench.setup(timeout_seconds=0.05))

    async def test_at_a_tcp_port_too(self, bench):
        with pytest.raises(UnreachableError, match="no connection"):
            await probe(bench.setup(target=TcpTarget("127.0.0.1", 1), timeout_seconds=0.05))

    async def test_in_the_middle_ends_the_rest_and_is_told(self, bench):
        async def crash(session):
            bench.socket.unlink()
            await session.open()

        async def fine(session):
            await session.open()

        async with bench.serving():
            runner = Runner(await probe(bench.setup(timeout_seconds=0.05)), parallel=1)
            results = [r async for r in runner.run([case_of(crash, case_id="A"), case_of(fine, case_id="B")])]

        assert [Outcome.INCONCLUSIVE] * 2 == [result.outcome for result in results]
        assert "A" == runner.gone_since
        assert "gone since A" in results[1].reason

    async def test_for_a_moment_spoils_nothing(self, bench):
        async def crash(session):
            await session.open()
            await session.expect('RCPT TO:<""@x>', "5yz")

        async with bench.serving(FatalRcpt):
            (crashed, after), _ = await results_of(bench, case_of(crash), case_of(fine_case, case_id="B"))

        assert (Outcome.FAILED, Outcome.PASSED) == (crashed.outcome, after.outcome)


class FatalRcpt(Conversation):
    async def rcpt(self, rest):
        raise ConnectionAbortedError


async def fine_case(session):
    await session.greet()


class TestProbe:
    async def test_knows_what_is_offered(self, bench):
        async with bench.serving():
            server = await probe(bench.setup())

        assert "CHUNKING" in server.offers
        assert "STARTTLS" in server.offers_in_clear
        assert 200_000 == server.size_limit

    async def test_of_a_server_that_lets_nobody_in_says_so(self, bench):
        async with bench.serving(Hostile):
            with pytest.raises(UnreachableError, match="554"):
                await probe(bench.setup(timeout_seconds=0.05))

    @pytest.mark.parametrize("kind", [ClosesAtLhlo, RefusesLhlo])
    async def test_of_a_server_that_does_not_know_lhlo_finds_nothing_offered(self, bench, kind):
        async with bench.serving(kind):
            server = await probe(bench.setup(timeout_seconds=0.05))

        assert Offers() == server.offers

    async def test_of_a_port_without_tls_says_so(self, bench, client_tls):
        async with bench.serving():
            with pytest.raises(UnreachableError, match="handshake"):
                await probe(bench.setup(tls=Tls.IMPLICIT, tls_context=client_tls))

    async def test_through_starttls_knows_what_is_offered_inside(self, bench, client_tls):
        async with bench.serving():
            server = await probe(bench.setup(tls=Tls.STARTTLS, tls_context=client_tls))

        assert "STARTTLS" in server.offers_in_clear
        assert "STARTTLS" not in server.offers


class TestWays:
    """
    The whole list through TLS and AUTH, and with nothing given.
    """

    @staticmethod
    def bad(results):
        return {r.case.case_id for r in results.values() if r.outcome in {Outcome.FAILED, Outcome.INCONCLUSIVE}}

    async def test_starttls(self, bench, client_tls):
        assert set() == self.bad(await bench.run(tls=Tls.STARTTLS, tls_context=client_tls))

    async def test_auth(self, bench):
        results = await bench.run(credentials=Credentials("ann", "tiger"))

        assert set() == self.bad(results)
        assert Outcome.PASSED is results["AU-1b"].outcome

    async def test_a_wrong_password_is_told_and_not_shown(self, bench):
        async with bench.serving():
            with pytest.raises(UnreachableError, match=r"AUTH PLAIN \[secret\] was answered 535"):
                await probe(bench.setup(credentials=Credentials("ann", "secret-word")))

    async def test_implicit_tls(self, bench, server_tls, client_tls):
        async with bench.serving(tls=server_tls):
            results = await bench.run_against_what_is_there(tls=Tls.IMPLICIT, tls_context=client_tls)

        assert set() == self.bad(results)
        assert "begin with TLS" in results["TL-1"].reason

    async def test_without_users_what_can_be_seen_is_fine(self, bench):
        results = await bench.run(users=(), unknown="", failing="", maildir=None)

        assert set() == self.bad(results)
        assert "--user was not given" == results["LMTP-4.2-3"].reason

    async def test_safe_stores_nothing(self, bench):
        results = await bench.run(is_safe=True)

        assert set() == self.bad(results)
        assert [] == list(bench.place.maildir.joinpath("new").iterdir())
        assert len([r for r in results.values() if r.outcome is Outcome.PASSED]) > 150

    async def test_tcp(self, bench):
        async with serving(Conversation, bench.place) as server:
            port = server.sockets[0].getsockname()[1]
            results = await bench.run_against_what_is_there(target=TcpTarget("127.0.0.1", port))

        assert set() == self.bad(results)

    async def test_a_wrong_certificate_is_told(self, bench):
        async with bench.serving():
            setup = bench.setup(tls=Tls.STARTTLS, tls_context=bench.untrusting())
            session = Session(Server(setup, Offers(), Offers()), Transcript())
            with pytest.raises(PreconditionError, match="handshake failed"):
                await session.open()
            await session.close()


def test_every_case_can_be_skipped_for_safety_or_is_safe():
    """
    Whatever sends a whole content says that it does.
    """
    setup = replace(_setup(), is_safe=True)
    server = Server(setup, Offers(dict.fromkeys(("CHUNKING", "8BITMIME", "SIZE"), ("1",))), Offers())
    skipped = {case.case_id for case in all_cases() if any(need(server) == "--safe was given" for need in case.needs)}

    assert {"LMTP-4.2-3", "TX-4", "TR-8", "LMTP-4.3-1", "SZ-7", "T57"} <= skipped


def _setup():
    return Setup(target=UnixTarget("/nowhere"), users=("a@x", "b@x"), unknown="c@x", failing="d@x", maildir="/nowhere")
