# SPDX-License-Identifier: Apache-2.0
"""
Replies as they came, and what is found wrong with them.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.conformance.replies import Fault, WireReply, continues


def reply(*lines):
    return WireReply(tuple(lines))


class TestReply:
    def test_has_code_texts_and_statuses(self):
        seen = reply(b"250-2.1.5 one\r\n", b"250 2.1.5\r\n")

        assert "250" == seen.code
        assert (b"2.1.5 one", b"2.1.5") == seen.texts
        assert (b"2.1.5", b"2.1.5") == seen.statuses
        assert "250-2.1.5 one / 250 2.1.5" == str(seen)
        assert seen.is_positive

    def test_without_code_has_none(self):
        seen = reply(b"hello\r\n")

        assert "" == seen.code
        assert (b"",) == seen.texts
        assert (b"",) == seen.statuses
        assert not seen.is_positive

    @pytest.mark.parametrize(
        ("pattern", "matches"), [("250", True), ("2yz", True), ("25z", True), ("251", False), ("5yz", False)]
    )
    def test_matches_patterns_as_rfc_5321_writes_them(self, pattern, matches):
        assert matches == reply(b"250 Ok\r\n").matches(pattern)

    @pytest.mark.parametrize(("line", "more"), [(b"250-a\r\n", True), (b"250 a\r\n", False), (b"25-", False)])
    def test_goes_on_behind_a_hyphen(self, line, more):
        assert more == continues(line)


class TestFaults:
    @pytest.mark.parametrize(
        ("lines", "fault"),
        [
            ([b"250 Ok\n"], Fault.LINE_END),
            ([b"250 Ok"], Fault.LINE_END),
            ([b"250-a\r\n", b"hello\r\n"], Fault.NO_CODE),
            ([b"2500 a\r\n"], Fault.NO_CODE),
            ([b"699 a\r\n"], Fault.BAD_CODE),
            ([b"250-a\r\n", b"251 a\r\n"], Fault.OTHER_CODE),
            ([b"250 \xc3\xa9\r\n"], Fault.UNPRINTABLE),
            ([b"250 a\rb\r\n"], Fault.UNPRINTABLE),
            ([b"250 " + b"x" * 507 + b"\r\n"], Fault.TOO_LONG),
            ([b"250\r\n"], Fault.NO_SPACE),
        ],
    )
    def test_are_found(self, lines, fault):
        assert fault in reply(*lines).faults

    def test_are_none_in_a_good_reply(self):
        assert frozenset() == reply(b"250-a\r\n", b"250-\r\n", b"250 " + b"x" * 506 + b"\r\n").faults

    @given(st.lists(st.binary(max_size=20), min_size=1, max_size=3))
    def test_are_looked_for_in_anything(self, lines):
        seen = reply(*lines)

        assert seen.faults <= set(Fault)
        assert isinstance(seen.bad_status, str)


class TestBadStatus:
    @pytest.mark.parametrize(
        ("lines", "words"),
        [
            ([b"250 Ok\r\n"], "without"),
            ([b"250-2.0.0 a\r\n", b"250 2.1.0 b\r\n"], "different"),
            ([b"250 2.00.0 a\r\n"], "no enhanced"),
            ([b"250 5.0.0 a\r\n"], "another class"),
        ],
    )
    def test_is_told(self, lines, words):
        assert words in reply(*lines).bad_status

    def test_is_nothing_when_all_is_well(self):
        assert "" == reply(b"250-2.0.0 a\r\n", b"250 2.0.0 b\r\n").bad_status
