# SPDX-License-Identifier: Apache-2.0
"""
The tester is tested: it finds no fault with a correct server, and each fault with a server that has one.
"""

import pytest

from lmtp.conformance.model import Outcome
from lmtp.conformance.server import Tls
from lmtp.testing.scripted import Conversation
from tests.conformance.faults import FAULTS


class Poor(Conversation):
    """
    What RFC 2033 §5 demands, and nothing else.
    """

    size_limit = 2**40
    most_recipients = 2**20
    longest_line = 2**16
    mail_parameters = {}  # noqa: RUF012 - never changed
    rcpt_parameters = {}  # noqa: RUF012 - never changed

    def offers(self):
        return ["PIPELINING", "ENHANCEDSTATUSCODES"]

    async def help(self, rest):
        self.reply(502, "5.5.1", "No")


class Rich(Conversation):
    """
    What few servers have.
    """

    mail_parameters = Conversation.mail_parameters | {
        "BODY": "=(?:7BIT|8BITMIME|BINARYMIME)",
        "MT-PRIORITY": "=(?:0|-?[1-9])",
        "BY": "=-?(?:[1-9][0-9]*;[NR]|0;N)",
        "REQUIRETLS": "",
    }
    rcpt_parameters = Conversation.rcpt_parameters | {"RRVS": "=[0-9T:Z-]+(?:;[CR])?", "IGNOREQUOTA": ""}
    is_binary = False

    def offers(self):
        inside = ["REQUIRETLS"] if self.has_tls else []
        words = ["BINARYMIME", "MT-PRIORITY", "DELIVERBY", "RRVS", "XCLIENT", "XFORWARD", "IGNOREQUOTA"]
        return [*super().offers(), *words, *inside]

    def verbs(self):
        return super().verbs() | {"XCLIENT": self.not_yours, "XFORWARD": self.not_yours}

    async def not_yours(self, rest):
        self.out_of_order()

    async def mail(self, rest):
        await super().mail(rest)
        self.is_binary = b"BINARYMIME" in rest

    async def data(self, rest):
        if self.is_binary:
            self.out_of_order()
        else:
            await super().data(rest)


class Smtp(Conversation):
    """
    A server of another protocol.
    """

    def verbs(self):
        verbs = super().verbs()
        verbs["EHLO"] = verbs["HELO"] = verbs.pop("LHLO")
        return verbs


def ids_of(results, outcome):
    return {case_id for case_id, result in results.items() if result.outcome is outcome}


class TestCorrectServer:
    async def test_fails_nothing_and_leaves_nothing_open(self, bench):
        results = await bench.run()

        assert set() == ids_of(results, Outcome.FAILED)
        assert set() == ids_of(results, Outcome.INCONCLUSIVE)
        assert len(ids_of(results, Outcome.PASSED)) > 300

    async def test_of_few_extensions_fails_the_should_alone(self, bench):
        results = await bench.run(Poor)

        assert {"LMTP-5-4"} == ids_of(results, Outcome.FAILED)
        assert set() == ids_of(results, Outcome.INCONCLUSIVE)
        assert Outcome.PASSED is results["U8-6"].outcome

    async def test_of_many_extensions_fails_nothing(self, bench, client_tls):
        results = await bench.run(Rich, tls=Tls.STARTTLS, tls_context=client_tls)

        assert set() == ids_of(results, Outcome.FAILED)
        assert set() == ids_of(results, Outcome.INCONCLUSIVE)
        assert {"CH-12", "MP-1", "DB-1", "RV-1", "XC-3", "XF-1", "IQ-1"} <= ids_of(results, Outcome.PASSED)

    async def test_of_smtp_is_told_that_it_is_none_of_lmtp(self, bench):
        results = await bench.run(Smtp)

        assert {"LMTP-4.1-1", "LMTP-4.1-2", "LMTP-4.1-2b"} <= ids_of(results, Outcome.FAILED)
        assert Outcome.INCONCLUSIVE is results["LMTP-4.2-3"].outcome


class TestFaults:
    @pytest.mark.slow
    @pytest.mark.parametrize(("kind", "case_ids"), FAULTS, ids=[kind.__name__ for kind, _ in FAULTS])
    async def test_is_caught_by_the_case_meant_for_it(self, bench, kind, case_ids):
        results = await bench.run(kind)

        assert set(case_ids) == ids_of(results, Outcome.FAILED)

    def test_are_many(self):
        assert len(FAULTS) >= 30
