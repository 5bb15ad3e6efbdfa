# SPDX-License-Identifier: Apache-2.0
"""
Command lines: only CRLF ends one, nothing is half executed, memory and work are bounded.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol.lines import LineBuffer
from lmtp.protocol.reply import LINE_ENDING, LINE_TOO_LONG
from lmtp.testing.strategies import chunkings

LONGEST = 16
STREAMS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"NOOP", b"x" * LONGEST])).map(b"".join)


def read(*pieces, longest=LONGEST, takes_lf=False):
    """
    Feed the pieces one after the other and return everything that was read.
    """
    buffer = LineBuffer(longest, takes_lf=takes_lf)
    lines = []
    for piece in pieces:
        buffer.feed(piece)
        while (line := buffer.next_line()) is not None:
            lines.append(line)
    return lines


def read_naively(octets, longest=LONGEST):
    """
    Read octet by octet: the rules once more, as slow as can be.
    """
    lines, line, discarding = [], b"", False
    for octet in octets:
        line += bytes([octet])
        if discarding:
            discarding = not line.endswith(b"\r\n")
            line = line if discarding else b""
        elif line.endswith(b"\r\n") and len(line) <= longest:
            lines.append(line[:-2])
            line = b""
        elif line.endswith(b"\n") or len(line) >= longest:
            lines.append(LINE_ENDING if line.endswith(b"\n") else LINE_TOO_LONG)
            line, discarding = line[-1:], True
    return lines


class TestEndOfLine:
    """
    RFC 5321 §2.3.8: CR followed by LF, and nothing else.
    """

    def test_is_crlf(self):
        assert [b"RSET", b"", b"NOOP"] == read(b"RSET\r\n\r\nNOOP\r\n")

    def test_may_come_in_two_pieces(self):
        assert [b"RSET"] == read(b"RSET\r", b"\n")

    @pytest.mark.guards("GR-1", "TX-9")
    def test_is_not_a_bare_lf_and_what_follows_it_is_thrown_away(self):
        assert [LINE_ENDING, b"NOOP"] == read(b"RSET\nQUIT\r\nNOOP\r\n")

    def test_is_not_a_bare_lf_at_the_beginning(self):
        assert [LINE_ENDING, b"NOOP"] == read(b"\nQUIT\r\nNOOP\r\n")

    @pytest.mark.guards("GR-1")
    def test_is_not_a_bare_cr(self):
        assert [b"RSET\rQUIT"] == read(b"RSET\rQUIT\r\n")

    def test_that_is_missing_makes_the_reader_wait(self):
        assert [] == read(b"RSET\r")

    def test_bare_lf_is_answered_before_the_line_comes_to_its_end(self):
        assert [LINE_ENDING] == read(b"RSET\n")


class TestLength:
    """
    RFC 5321 §4.5.3.1.4: a longest line, its CRLF counted.
    """

    @pytest.mark.guards("SZ-4")
    def test_longest_line_is_read(self):
        assert [b"x" * (LONGEST - 2)] == read(b"x" * (LONGEST - 2) + b"\r\n")

    @pytest.mark.parametrize("length", [LONGEST - 1, LONGEST, LONGEST + 1, 10 * LONGEST])
    def test_longer_line_is_refused_once_and_the_next_one_read(self, length):
        assert [LINE_TOO_LONG, b"NOOP"] == read(b"x" * length + b"\r\nNOOP\r\n")

    def test_longer_line_ends_with_a_lone_lf_where_lines_do(self):
        assert [LINE_TOO_LONG, b"NOOP"] == read(b"x" * LONGEST + b"\nNOOP\n", takes_lf=True)

    def test_too_long_line_is_answered_before_it_comes_to_its_end(self):
        assert [LINE_TOO_LONG] == read(b"x" * LONGEST)

    def test_endless_line_takes_no_memory(self):
        buffer = LineBuffer(LONGEST)
        for _ in range(1000):
            buffer.feed(b"x" * LONGEST)
            buffer.next_line()

            assert len(buffer) <= LONGEST

    def test_endless_line_of_crs_takes_no_memory(self):
        buffer = LineBuffer(LONGEST)
        for _ in range(1000):
            buffer.feed(b"\r" * LONGEST)
            buffer.next_line()

            assert len(buffer) <= LONGEST

    def test_of_what_was_refused_the_beginning_is_kept(self):
        buffer = LineBuffer(LONGEST)

        assert b"" == buffer.broken

        buffer.feed(b"BDAT 12345\nNOOP\r\n")

        assert LINE_ENDING == buffer.next_line()
        assert b"BDAT 123" == buffer.broken


class TestChunking:
    @given(octets=STREAMS, data=st.data())
    def test_makes_no_difference(self, octets, data):
        assert read_naively(octets) == read(octets) == read(*data.draw(chunkings(octets)))

    @given(octets=STREAMS)
    def test_octet_by_octet_makes_no_difference(self, octets):
        assert read_naively(octets) == read(*(octets[i : i + 1] for i in range(len(octets))))


class TestWork:
    def test_octet_that_was_searched_is_not_searched_again(self):
        class Watched(bytearray):
            searched = 0

            def find(self, what, start=0, end=1 << 30):
                Watched.searched += max(0, min(end, len(self)) - start)
                return super().find(what, start, end)

        buffer = LineBuffer(10_000)
        buffer.octets = Watched()
        for _ in range(9_000):
            buffer.feed(b"x")
            buffer.next_line()

        assert 9_000 == Watched.searched
