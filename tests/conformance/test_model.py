# SPDX-License-Identifier: Apache-2.0
"""
The list of cases: unique ids, a sentence and a clause each, and enough of them.
"""

from collections import Counter

import pytest

from lmtp.conformance.cases import GROUPS, all_cases
from lmtp.conformance.model import MUST, Group


class TestGroup:
    async def nothing(self, session):
        """
        Nothing at all.

        More about it.
        """

    def test_takes_the_sentence_from_the_docstring(self):
        group = Group("x", "X")
        group.case("X-1", MUST, "RFC 0")(TestGroup.nothing)

        assert ["Nothing at all. More about it"] == [case.sentence for case in group.cases]

    def test_takes_a_made_sentence_before_it(self):
        group = Group("x", "X")
        group.case("X-1", MUST, "RFC 0", sentence="Something.")(TestGroup.nothing)

        assert ["Something"] == [case.sentence for case in group.cases]

    def test_falls_back_to_the_id_when_docstrings_are_stripped(self):
        group = Group("x", "X")
        group.case("X-1", MUST, "RFC 0")(lambda _session: None)

        assert ["X-1"] == [case.sentence for case in group.cases]

    def test_refuses_an_id_it_has(self):
        group = Group("x", "X")
        group.case("X-1", MUST, "RFC 0")(TestGroup.nothing)

        with pytest.raises(ValueError, match="X-1"):
            group.case("X-1", MUST, "RFC 0")

    def test_adds_its_own_needs(self):
        def need(_server):
            return "no"

        group = Group("x", "X", (need,))
        group.case("X-1", MUST, "RFC 0", need)(TestGroup.nothing)

        assert (need, need) == group.cases[0].needs


class TestCases:
    def test_are_many(self):
        assert len(all_cases()) >= 150

    def test_have_ids_of_their_own(self):
        assert [] == [case_id for case_id, count in Counter(case.case_id for case in all_cases()).items() if count > 1]

    def test_name_a_clause_and_say_a_sentence(self):
        for case in all_cases():
            assert case.clause
            assert len(case.sentence) > 10
            assert not case.sentence.endswith(".")

    def test_groups_have_names_of_their_own(self):
        assert len({group.name for group in GROUPS}) == len(GROUPS)
