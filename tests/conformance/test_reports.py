# SPDX-License-Identifier: Apache-2.0
"""
Results as JSON and as JUnit.
"""

import json
from xml.etree import ElementTree as ET

import pytest

from lmtp.conformance.model import MUST, QUALITY, SHOULD, Case, Outcome, Result
from lmtp.conformance.reports import as_json, as_junit, counts, failures


def case_of(case_id, level):
    return Case(case_id, level, "RFC 0 §1", "it is <so>", "group", (), None)


@pytest.fixture
def results():
    return [
        Result(case_of("A", MUST), Outcome.PASSED, seconds=0.25),
        Result(case_of("B", MUST), Outcome.FAILED, "500 & more", "250", ("C: NOOP\\r\\n",)),
        Result(case_of("C", SHOULD), Outcome.FAILED, "500", "250"),
        Result(case_of("D", QUALITY), Outcome.SKIPPED, "not offered"),
        Result(case_of("E", MUST), Outcome.INCONCLUSIVE, "no luck"),
    ]


class TestCounts:
    def test_are_by_level_and_outcome(self, results):
        table = counts(results)

        assert 1 == table[MUST][Outcome.PASSED]
        assert 1 == table[SHOULD][Outcome.FAILED]
        assert 0 == table[SHOULD][Outcome.PASSED]

    def test_failures_are_those_that_count(self, results):
        assert ["B"] == [result.case.case_id for result in failures(results, {MUST})]
        assert ["B", "C"] == [result.case.case_id for result in failures(results, {MUST, SHOULD})]


class TestJson:
    def test_has_everything(self, results):
        document = json.loads(as_json("unix:/s", results))

        assert "unix:/s" == document["endpoint"]
        assert {"passed": 1, "failed": 1, "skipped": 0, "inconclusive": 1} == document["summary"]["MUST"]
        assert {
            "id": "B", "group": "group", "level": "MUST", "clause": "RFC 0 §1", "sentence": "it is <so>",
            "outcome": "failed", "reason": "500 & more", "expected": "250", "transcript": ["C: NOOP\\r\\n"],
            "seconds": 0.0,
        } == document["cases"][1]  # fmt: skip


class TestJunit:
    def test_has_a_failure_for_what_counts_alone(self, results):
        (suite,) = ET.fromstring(as_junit("unix:/s", results, {MUST}))

        assert {"name": "group", "tests": "5", "failures": "1", "skipped": "3"} == suite.attrib
        assert ["B: it is <so>"] == [case.get("name") for case in suite if case.find("failure") is not None]
        failure = suite.find("testcase/failure")
        assert "expected 250; came 500 & more" == failure.get("message")
        assert "RFC 0 §1\nC: NOOP\\r\\n" == failure.text

    def test_says_why_the_others_did_not_pass(self, results):
        (suite,) = ET.fromstring(as_junit("unix:/s", results, {MUST}))

        messages = [element.get("message") for element in suite.iter("skipped")]
        assert ["failed: expected 250; came 500", "skipped: not offered", "inconclusive: no luck"] == messages
