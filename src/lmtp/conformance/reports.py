# SPDX-License-Identifier: Apache-2.0
"""
Results for machines: JSON, and the XML of JUnit that CI systems read.

Pure: results in, text out. Not here: what people read on a terminal (cli/check.py). Raises nothing.
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from lmtp.conformance.model import Level, Outcome, Result


def counts(results: Sequence[Result]) -> dict[Level, Counter[Outcome]]:
    """
    Return how many cases of each level ended in which way.
    """
    table: dict[Level, Counter[Outcome]] = {level: Counter() for level in Level}
    for result in results:
        table[result.case.level][result.outcome] += 1
    return table


def failures(results: Sequence[Result], counted: Collection[Level]) -> list[Result]:
    """
    Return the failed cases of the levels that count.
    """
    return [result for result in results if result.outcome is Outcome.FAILED and result.case.level in counted]


def as_json(endpoint: str, results: Sequence[Result]) -> str:
    """
    Return all results as one JSON object.
    """
    summary = {
        level.value: {outcome.value: count[outcome] for outcome in Outcome} for level, count in counts(results).items()
    }
    document = {"endpoint": endpoint, "summary": summary, "cases": [_as_object(result) for result in results]}
    return json.dumps(document, indent=2)


def _as_object(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.case_id,
        "group": case.group,
        "level": case.level.value,
        "clause": case.clause,
        "sentence": case.sentence,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "expected": result.expected,
        "transcript": list(result.transcript),
        "seconds": round(result.seconds, 3),
    }


def as_junit(endpoint: str, results: Sequence[Result], counted: Collection[Level]) -> str:
    """
    Return all results as a JUnit report, a suite for each group.

    Args:
        endpoint: Where the server is.
        results: What came out.
        counted: The levels whose failures are failures; those of others are reported as skipped, with the reason.
    """
    root = ET.Element("testsuites", name=f"lmtp check {endpoint}")
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.case.group, []).append(result)
    for group, members in groups.items():
        suite = ET.SubElement(root, "testsuite", name=group, tests=str(len(members)))
        suite.set("failures", str(len(failures(members, counted))))
        suite.set("skipped", str(sum(_is_skip(result, counted) for result in members)))
        for result in members:
            _add_case(suite, result, counted)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _is_skip(result: Result, counted: Collection[Level]) -> bool:
    return result.outcome is not Outcome.PASSED and not failures([result], counted)


def _add_case(suite: ET.Element, result: Result, counted: Collection[Level]) -> None:
    case = result.case
    name = f"{case.case_id}: {case.sentence}"
    element = ET.SubElement(suite, "testcase", classname=f"{case.group}.{case.level.value}", name=name)
    element.set("time", f"{result.seconds:.3f}")
    if _is_skip(result, counted):
        ET.SubElement(element, "skipped", message=f"{result.outcome.value}: {told(result)}")
    elif result.outcome is Outcome.FAILED:
        failure = ET.SubElement(element, "failure", message=told(result), type=case.level.value)
        failure.text = "\n".join((case.clause, *result.transcript))


def told(result: Result) -> str:
    """
    Return in one line why a case did not pass.
    """
    return f"expected {result.expected}; came {result.reason}" if result.expected else result.reason
