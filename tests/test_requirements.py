# SPDX-License-Identifier: Apache-2.0
"""
Every requirement has a test or a reason, every test that names one names one there is; and what finds that out works.
"""

import json
import re
import runpy
import sys

import pytest

from lmtp.testing.dialogues import DialogueError
from scripts.coverage_spec.coverage import Chapter, Row, State, chapters, problems
from scripts.coverage_spec.markers import MarkerError, collect, marked
from scripts.coverage_spec.register import LEVELS, RegisterError, Requirement, Section, load
from scripts.coverage_spec.tables import as_json, as_text, not_covered, summary

CLAUSE = re.compile(r"(?:RFC \d+(?: §[\d.]+)?|Postfix|Dovecot|Cyrus|maildir|Maildir\+\+)(?:(?:,| to) [ §A-Z\d.a-z]+)*")
"""A standard with its section, or a programme; there may be several."""


@pytest.fixture(scope="module")
def register():
    return load()


@pytest.fixture(scope="module")
def tests():
    return collect()


def requirement(name, reason=""):
    return Requirement(id=name, level="MUST", clause="RFC 1 §2", says="It works.", reason=reason)


def chapter(*rows):
    return Chapter("rfc1-thing", "RFC 1: Thing", tuple(Row(each, tuple(tests)) for each, tests in rows))


class TestRegister:
    def test_is_covered_but_for_what_it_has_a_reason_for(self, register, tests):
        assert [] == list(problems(chapters(register, tests), tests))

    def test_says_each_in_a_sentence_with_its_clause(self, register):
        for each in (each for section in register for each in section.requirements):
            assert re.fullmatch(r"[A-Z\d].*[.)]", each.says), each
            assert CLAUSE.fullmatch(each.clause), each
            assert not each.reason.endswith("."), each

    def test_uses_every_level(self, register):
        assert set(LEVELS) == {each.level for section in register for each in section.requirements}


class TestLoading:
    GOOD = 'title = "RFC 1: Thing"\n[A-1]\nlevel = "MUST"\nclause = "RFC 1 §2"\nsays = "It works."\n'

    def test_reads_files_in_the_order_of_their_names(self, tmp_path):
        (tmp_path / "b.toml").write_text(self.GOOD.replace("A-1", "B-1"))
        (tmp_path / "a.toml").write_text(self.GOOD + 'reason = "it need not"\n')
        first, second = load(tmp_path)

        assert Section("a", "RFC 1: Thing", (requirement("A-1", "it need not"),)) == first
        assert ["B-1"] == [each.id for each in second.requirements]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (GOOD + "x", "one.toml: Expected"),
            (GOOD.partition("\n")[2], "one.toml: 'title'"),
            (GOOD + 'pending = "yes"\n', "one.toml: A-1: .*'pending'"),
            (GOOD.replace("MUST", "OUGHT"), "one.toml: A-1: 'OUGHT' is none of MUST, MUST NOT"),
            (GOOD.replace('says = "It works."\n', ""), "one.toml: A-1: .*'says'"),
        ],
        ids=["no TOML", "no title", "unknown key", "unknown level", "no sentence"],
    )
    def test_says_what_is_wrong_and_where(self, tmp_path, text, why):
        (tmp_path / "one.toml").write_text(text)

        with pytest.raises(RegisterError, match=why):
            load(tmp_path)

    def test_takes_no_id_twice(self, tmp_path):
        (tmp_path / "one.toml").write_text(self.GOOD)
        (tmp_path / "two.toml").write_text(self.GOOD)

        with pytest.raises(RegisterError, match="two: A-1 is in one already"):
            load(tmp_path)


class TestMarkers:
    def found(self, source):
        return list(marked(source, "t.py"))

    def test_are_found_on_functions_and_classes(self):
        source = (
            "@pytest.mark.guards('A-1', 'A-2')\n@pytest.mark.slow\nclass TestA:\n"
            "    @pytest.mark.slow\n    @pytest.mark.guards('A-3')\n    async def test_b(self): ...\n"
            "@pytest.mark.guards('A-1')\ndef test_c(): ...\n"
        )

        assert [
            ("A-1", "t.py::TestA"),
            ("A-2", "t.py::TestA"),
            ("A-3", "t.py::TestA::test_b"),
            ("A-1", "t.py::test_c"),
        ] == self.found(source)

    def test_are_found_on_a_whole_file(self):
        assert [("A-1", "t.py")] == self.found("pytestmark = pytest.mark.guards('A-1')\n")
        assert [("A-1", "t.py::TestA")] == self.found(
            "class TestA:\n    pytestmark = [pytest.mark.slow, pytest.mark.guards('A-1')]\n"
        )

    @pytest.mark.parametrize(
        "source",
        [
            "@pytest.mark.guards('A-1')\ndef helper(): ...\n",
            "class Helper:\n    @pytest.mark.guards('A-1')\n    def test_a(self): ...\n",
            "rows = [pytest.param(1, marks=pytest.mark.guards('A-1'))]\n",
        ],
    )
    def test_on_what_is_no_test_are_refused(self, source):
        with pytest.raises(MarkerError, match=r"t\.py:\d: this marker is on no test"):
            self.found(source)

    def test_are_not_computed(self):
        with pytest.raises(MarkerError, match=r"t\.py:1: an id is a string literal"):
            self.found("@pytest.mark.guards(ID)\ndef test_a(): ...\n")

    def test_are_collected_with_the_transcripts(self, tmp_path):
        folder = tmp_path / "tests"
        (folder / "dialogues").mkdir(parents=True)
        (folder / "aio").mkdir()
        (folder / "aio/test_a.py").write_text("@pytest.mark.guards('A-1')\ndef test_a(): ...\n")
        (folder / "aio/conftest.py").write_text("pytest.mark.guards('A-9')\n")
        (folder / "dialogues/hello.txt").write_text("covers: A-1 A-2\n")

        assert {
            "A-1": ["tests/aio/test_a.py::test_a", "tests/dialogues/hello.txt"],
            "A-2": ["tests/dialogues/hello.txt"],
        } == collect(folder)

        (folder / "dialogues/hello.txt").write_text("covers A-1\n")
        with pytest.raises(DialogueError):
            collect(folder)


class TestStates:
    @pytest.mark.parametrize(
        ("name", "reason", "tests", "state"),
        [
            ("A-1", "", ("t",), State.COVERED),
            ("A-1", "why", (), State.REASON),
            ("A-1", "", (), State.MISSING),
        ],
    )
    def test_are_told_apart(self, name, reason, tests, state):
        assert state is Row(requirement(name, reason), tests).state

    def test_are_counted(self):
        rows = chapter((requirement("A-1"), ["t"]), (requirement("A-2"), []), (requirement("A-3"), []))

        assert [1, 0, 2] == [rows.count(state) for state in State]


class TestProblems:
    def problems(self, *requirements, **tests):
        tests = {name.replace("_", "-"): [test] for name, test in tests.items()}
        return list(problems(chapters([Section("s", "S", requirements)], tests), tests))

    def test_are_none_where_all_is_covered_or_has_a_reason(self):
        assert [] == self.problems(requirement("A-1"), requirement("A-2", "why"), A_1="t")

    def test_are_requirements_without_test_and_reason(self):
        assert ["A-1: no test carries it"] == self.problems(requirement("A-1"))

    def test_are_reasons_that_are_none(self):
        assert [
            "A-1: the register has a reason why no test covers it, and t does",
        ] == self.problems(requirement("A-1", "why"), A_1="t")

    def test_are_ids_nobody_knows(self):
        assert ["A-2: t names it, and the register does not"] == self.problems(requirement("A-1", "why"), A_2="t")


class TestTables:
    FOUND = (chapter((requirement("A-1"), ["one", "two"]), (requirement("A-22", "why"), []), (requirement("A-3"), [])),)

    def test_have_a_line_for_each_requirement_and_test(self):
        assert (
            "RFC 1: Thing\n"
            "  A-1   RFC 1 §2  covered  one\n"
            "                           two\n"
            "  A-22  RFC 1 §2  reason   why\n"
            "  A-3   RFC 1 §2  MISSING"
        ) == as_text(self.FOUND)

    def test_are_summed_up(self):
        assert [
            ["covered", "reason", "MISSING"],
            ["RFC", "1:", "Thing", "1", "1", "1"],
            ["all", "1", "1", "1"],
        ] == [line.split() for line in summary(self.FOUND).splitlines()]

    def test_are_there_for_machines(self):
        read = json.loads(as_json(self.FOUND, ["A-3: no test carries it"]))

        assert ["A-3: no test carries it"] == read["problems"]
        assert {
            "id": "A-1",
            "section": "rfc1-thing",
            "level": "MUST",
            "clause": "RFC 1 §2",
            "says": "It works.",
            "state": "covered",
            "tests": ["one", "two"],
            "reason": "",
        } == read["requirements"][0]

    def test_for_the_manual_has_those_with_a_reason_alone(self, register):
        reasons = [each.reason for section in register for each in section.requirements if each.reason]

        assert reasons == [row.split(" | ")[-1].removesuffix(" |") for row in not_covered().splitlines()[2:]]


class TestCommand:
    def run(self, monkeypatch, capsys, *arguments):
        monkeypatch.setattr(sys, "argv", ["coverage_spec", *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("scripts.coverage_spec.__main__")
        return ended.value.code, capsys.readouterr().out

    def test_ends_with_0_and_prints_the_table_when_nothing_is_wrong(self, monkeypatch, capsys):
        status, printed = self.run(monkeypatch, capsys)

        assert 0 == status
        assert "LMTP-4.2-3" in printed

    def test_ends_with_1_and_says_what_is_wrong(self, monkeypatch, capsys):
        monkeypatch.setattr("scripts.coverage_spec.markers.collect", lambda: {"A-1": ["t"]})
        status, printed = self.run(monkeypatch, capsys, "--json")

        assert 1 == status
        assert "A-1: t names it, and the register does not" in json.loads(printed)["problems"]
