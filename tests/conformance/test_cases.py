# SPDX-License-Identifier: Apache-2.0
"""
Single cases against servers that are odd and not wrong, or wrong in a way the faults do not show.
"""

import asyncio

import pytest

from lmtp.conformance.cases import data
from lmtp.conformance.model import Outcome
from lmtp.conformance.wire import TcpTarget
from lmtp.testing.scripted import Conversation, serving

PASSED, FAILED, SKIPPED, INCONCLUSIVE = Outcome


class EndsAt(Conversation):
    """
    Says 421 in the place of some replies.
    """

    codes = frozenset()

    def reply(self, code, status, *lines):
        if code in self.codes and self.has_greeted:
            super().reply(421, "4.7.0", "Enough")
            self.is_over = True
        else:
            super().reply(code, status, *lines)


class EndsAt500(EndsAt):
    codes = frozenset({500})


class EndsAt501(EndsAt):
    codes = frozenset({501})


class EndsAt503(EndsAt):
    codes = frozenset({503})


class EndsAtTheSecondCopy(Conversation):
    def store(self, mailbox, content):
        if mailbox.local_part == "bob":
            self.reply(421, "4.3.2", "Going down")
            self.is_over = True


class EndsAtLongLines(Conversation):
    async def obey(self, line):
        if len(line) > self.longest_line:
            self.reply(421, "4.5.0", "Enough")
            self.is_over = True
        else:
            await super().obey(line)


class ForgivesLater(Conversation):
    def log_in(self, response):
        self.reply(454, "4.7.0", "Not now")


class DeliversToAll(Conversation):
    def deliver(self, content):
        for _ in self.recipients:
            self.reply(250, "2.0.0", "Stored")
        self.reset()


class DefersAll(Conversation):
    def deliver(self, content):
        for _ in self.recipients:
            self.reply(451, "4.3.0", "Later")
        self.reset()


class TakesHugeMessages(Conversation):
    size_limit = 2**40


class StoresNothing(Conversation):
    def store(self, mailbox, content):
        pass


class StoresLater(Conversation):
    def store(self, mailbox, content):
        asyncio.get_running_loop().call_later(0.02, super().store, mailbox, content)


class RefusesDuplicates(Conversation):
    def accept(self, mailbox):
        if mailbox in self.recipients:
            self.reply(550, "5.1.0", "I know")
        else:
            super().accept(mailbox)


class TakesInjectionForAnAttack(Conversation):
    async def starttls(self, rest):
        if self.buffer:
            self.reply(554, "5.7.0", "Nice try")
            self.is_over = True
        else:
            await super().starttls(rest)


class ClosesAtInjection(Conversation):
    def forget_clear_text(self):
        if self.buffer:
            raise ConnectionAbortedError
        super().forget_clear_text()


class LeavesNoTrace(Conversation):
    def traced(self, mailbox, content):
        return content


class RefusesArgumentsOfNoop(Conversation):
    async def noop(self, rest):
        if rest:
            self.reply(501, "5.5.4", "NOOP alone")
        else:
            await super().noop(rest)


class DropsLongLines(Conversation):
    async def obey(self, line):
        if len(line) > self.longest_line:
            self.is_over = True
        else:
            await super().obey(line)


class TakesMailForAnybody(Conversation):
    async def vrfy(self, rest):
        self.reply(250, "2.1.5", "Certainly")

    def take(self, path):
        self.accept(path)


class ComparesOctets(Conversation):
    def take(self, path):
        if path.startswith(b'<"'):
            self.reply(550, "5.1.1", "Nobody here")
        else:
            super().take(path)


class DefersQuotes(Conversation):
    def take(self, path):
        if path.startswith(b'<"'):
            self.reply(450, "4.2.1", "Try again")
        else:
            super().take(path)


class IgnoresTheRestOfALine(Conversation):
    async def mail(self, rest):
        await super().mail(rest.partition(b"\n")[0])


class WantsTlsForPlain(Conversation):
    async def auth(self, rest):
        self.reply(538, "5.7.11", "STARTTLS first")


class AnswersTheContentOnce(Conversation):
    def deliver(self, content):
        self.recipients = self.recipients[:1]
        super().deliver(content)


class Babbles(Conversation):
    async def quit(self, rest):
        for _ in range(2100):
            self.reply(250, "2.0.0", "And another thing")


class TestCase:
    @pytest.mark.parametrize(
        ("kind", "case_id", "outcome"),
        [
            (EndsAt500, "SD-5", PASSED),
            (EndsAt500, "PL-8", INCONCLUSIVE),
            (EndsAt500, "T34", INCONCLUSIVE),
            (EndsAt503, "CH-4", INCONCLUSIVE),
            (EndsAt501, "CH-4d", PASSED),
            (EndsAtTheSecondCopy, "T60b", INCONCLUSIVE),
            (EndsAtLongLines, "SZ-9", PASSED),
            (EndsAtLongLines, "SZ-9c", FAILED),
            (ForgivesLater, "AU-10", INCONCLUSIVE),
            (DeliversToAll, "LMTP-4.2-3c", INCONCLUSIVE),
            (DeliversToAll, "LMTP-4.3-1f", INCONCLUSIVE),
            (DefersAll, "SZ-7", INCONCLUSIVE),
            (DefersAll, "LMTP-4.2-7", INCONCLUSIVE),
            (TakesHugeMessages, "LMTP-4.2-8b", SKIPPED),
            (RefusesDuplicates, "SZ-8", INCONCLUSIVE),
            (TakesInjectionForAnAttack, "TL-5", PASSED),
            (ClosesAtInjection, "TL-5", PASSED),
            (LeavesNoTrace, "TR-2", INCONCLUSIVE),
            (Babbles, "RP-1", FAILED),
            (RefusesArgumentsOfNoop, "SZ-4", INCONCLUSIVE),
            (DropsLongLines, "SZ-9", PASSED),
            (DropsLongLines, "SZ-9b", FAILED),
            (TakesMailForAnybody, "ST-5", SKIPPED),
            (ComparesOctets, "AD-4", FAILED),
            (ComparesOctets, "AD-4b", PASSED),
            (DefersQuotes, "AD-4b", INCONCLUSIVE),
            (IgnoresTheRestOfALine, "T34", PASSED),
            (WantsTlsForPlain, "AU-2b", INCONCLUSIVE),
            (WantsTlsForPlain, "AU-6b", INCONCLUSIVE),
            (AnswersTheContentOnce, "LMTP-4.2-9b", INCONCLUSIVE),
        ],
    )
    async def test_ends_as_it_should(self, bench, kind, case_id, outcome):
        result = (await bench.run(kind, case_id))[case_id]

        assert (outcome, "") == (result.outcome, "" if outcome is result.outcome else result.reason)

    @pytest.mark.parametrize(("kind", "outcome"), [(StoresLater, FAILED), (StoresNothing, INCONCLUSIVE)])
    async def test_tells_a_late_message_from_one_it_can_not_find(self, bench, kind, outcome, monkeypatch):
        monkeypatch.setattr(data, "LATE_SECONDS", 0.2)

        assert outcome is (await bench.run(kind, "LMTP-4.2-7"))["LMTP-4.2-7"].outcome

    async def test_finds_passwords_offered_in_clear_to_other_machines(self, bench):
        async with serving(Conversation, bench.place) as server:
            # Any address but those of the loopback will do, and this one leads to it all the same.
            target = TcpTarget("0.0.0.0", server.sockets[0].getsockname()[1])
            results = await bench.run_against_what_is_there("AU-11", target=target)

        assert FAILED is results["AU-11"].outcome
