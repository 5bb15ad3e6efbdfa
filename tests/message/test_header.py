# SPDX-License-Identifier: Apache-2.0
"""
The header section: where it ends, which fields it has, and never an octet lost.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.message.header import MAX_OCTETS, HeaderSection

ORDINARY = b"Received: from a\r\n\tby b;\r\n Mon\r\nRECEIVED : from c\r\nreceived:\r\nSubject: x\r\nX-Received: no\r\n"

ENDS = {
    b"": 0,
    b"\r\n": 0,
    b"\r\nSubject: in the body\r\n": 0,
    b"Subject: x\r\n\r\nbody\r\n": 12,
    b"Subject: x\r\n\r\n\r\nbody\r\n\r\n": 12,
    b"Subject: x\r\n": 12,
    b"Subject: x": 10,
    b" continuation of nothing\r\nA: b\r\n\r\n": 32,
    b"From ann Mon Jan 1\r\nA: b\r\n\r\n": 26,
    b"no header at all\r\nnone\r\n": 24,
    b"A: b\r\n \r\n c\r\n\r\n": 13,
    b"A: b\n\nC: d\r\n\r\n": 12,
    b"A: b\r\r\n\r\n": 7,
}
"""Broken sections too: where the body, or the empty line before it, begins."""

fragments = st.lists(
    st.sampled_from(
        [
            b"\r\n",
            b"\r",
            b"\n",
            b" ",
            b"\t",
            b":",
            b"Received",
            b"received:",
            b"Return-Path:",
            b"a",
            b"From ",
            b"\r\n\r\n",
        ]
    ),
    max_size=30,
).map(b"".join)


class TestEnd:
    """
    RFC 5322 §2.1: the header section ends before the first empty line.
    """

    @pytest.mark.parametrize("octets", ENDS, ids=repr)
    def test_is_the_first_empty_line(self, octets):
        header = HeaderSection(octets)

        assert ENDS[octets] == header.end
        assert octets[: header.end] == header.octets

    def test_of_a_section_that_is_too_long_is_before_a_field(self):
        field = b"A: " + b"b" * 95 + b"\r\n"
        header = HeaderSection(field * 10_000)

        assert MAX_OCTETS // 100 * 100 == header.end

    def test_of_a_section_that_is_too_long_never_tears_a_field(self):
        content = b"A: b\r\nReturn-Path: <x>" + b"\r\n c" * MAX_OCTETS
        header = HeaderSection(content)

        assert b"A: b\r\n" == header.octets
        assert 0 == HeaderSection(content[6:]).end
        assert 0 == HeaderSection(b"x" * (MAX_OCTETS + 1)).end

    def test_of_a_section_cut_off_after_a_line_end_leaves_that_field_out(self):
        leading = b"A: b\r\n" + b"C" * (MAX_OCTETS - 8) + b"\r\n"

        assert b"A: b\r\n" == HeaderSection(leading).octets

    def test_of_a_section_that_just_fits_is_found(self):
        leading = b"A" * (MAX_OCTETS - 4) + b"\r\n\r\n"

        assert MAX_OCTETS - 2 == HeaderSection(leading).end


class TestFields:
    """
    RFC 5322 §2.2: names have no case; folding belongs to the field.
    """

    def test_are_found_by_name_whatever_its_case(self):
        found = HeaderSection(ORDINARY).find(b"ReCeIvEd")

        assert [b"Received: from a\r\n\tby b;\r\n Mon\r\n", b"RECEIVED : from c\r\n", b"received:\r\n"] == found

    def test_are_counted(self):
        assert (3, 1, 0) == tuple(map(HeaderSection(ORDINARY).count, (b"Received", b"Subject", b"Receive")))

    def test_are_taken_out_and_all_else_stays(self):
        assert b"Subject: x\r\nX-Received: no\r\n" == HeaderSection(ORDINARY).without(b"Received")

    def test_taking_out_what_is_not_there_changes_nothing(self):
        assert ORDINARY == HeaderSection(ORDINARY).without(b"Return-Path")

    def test_last_one_may_lack_its_line_end(self):
        header = HeaderSection(b"A: b\r\nC: d")

        assert [b"C: d"] == header.find(b"c")
        assert b"A: b\r\n" == header.without(b"C")

    @pytest.mark.parametrize(
        "octets",
        [
            b"X: y\r\n Received: folded\r\n",
            b"Received\r\n",
            b"Received \r\n: x\r\n",
            b"A: b\nReceived: after a bare LF\r\n",
            b"A: b\rReceived: after a bare CR\r\n",
            b"A: b\r\n\r\nReceived: in the body\r\n",
            b"X-Received: x\r\nReceived-SPF: x\r\n",
        ],
        ids=repr,
    )
    def test_are_not_mistaken(self, octets):
        assert 0 == HeaderSection(octets).count(b"Received")

    def test_malformed_lines_are_kept(self):
        octets = b"From ann\r\n stray\r\nReceived: x\r\nno colon\r\n\tmore\r\n: no name\r\n"

        assert octets.replace(b"Received: x\r\n", b"") == HeaderSection(octets).without(b"Received")

    @given(fragments | st.binary(max_size=200))
    def test_joined_are_the_section_again(self, octets):
        header = HeaderSection(octets)

        assert header.octets == b"".join(header.fields())
        assert octets == header.octets + octets[header.end :]

    @given(fragments)
    def test_found_and_the_rest_are_all_there_is(self, octets):
        header = HeaderSection(octets)
        found = header.find(b"Received")

        assert header.count(b"Received") == len(found)
        assert all(field.lower().startswith(b"received") for field in found)
        assert len(header.octets) == len(b"".join(found)) + len(header.without(b"Received"))
        # A bare removal may leave a section in which nothing of the name is found again.
        assert 0 == HeaderSection(header.without(b"Received")).count(b"Received")
