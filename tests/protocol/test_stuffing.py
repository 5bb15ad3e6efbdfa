# SPDX-License-Identifier: Apache-2.0
"""
Line ends and dots of a content that is sent (RFC 5321 §2.3.8 and §4.5.2).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol.stuffing import DotStuffing, LineEnds, with_crlf
from lmtp.testing.strategies import chunkings, contents, transmitted, wild_octets


def mended(*pieces):
    line_ends = LineEnds()
    return b"".join([line_ends.encode(piece) for piece in pieces] + [line_ends.finish()])


def stuffed(*pieces):
    stuffing = DotStuffing()
    return b"".join([stuffing.encode(piece) for piece in pieces] + [stuffing.finish()])


class TestLineEnds:
    @pytest.mark.guards("TX-6", "T35")
    @pytest.mark.parametrize(
        ("octets", "expected"),
        [
            (b"", b""),
            (b"a\r\n", b"a\r\n"),
            (b"a\nb\n", b"a\r\nb\r\n"),
            (b"a\rb\r", b"a\r\nb\r\n"),
            (b"\r\r\n\n\r", b"\r\n\r\n\r\n\r\n"),
            (b"\n.\n", b"\r\n.\r\n"),
        ],
    )
    def test_become_crlf(self, octets, expected):
        assert expected == mended(octets)
        assert expected == mended(*(octets[i : i + 1] for i in range(len(octets))))

    @pytest.mark.guards("TX-3", "T26")
    @pytest.mark.parametrize("octets", [b"a", b"a\r\nb"])
    def test_are_added_where_the_last_is_missing_and_nowhere_else(self, octets):
        assert octets + b"\r\n" == mended(octets)
        assert octets + b"\r\n" == mended(octets + b"\r\n")

    @given(data=st.data(), octets=wild_octets())
    def test_are_the_same_however_the_octets_are_cut(self, data, octets):
        assert mended(octets) == mended(*data.draw(chunkings(octets)))

    @pytest.mark.guards("TX-6")
    @given(octets=wild_octets())
    def test_are_never_cr_or_lf_alone(self, octets):
        content = mended(octets)

        assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
        assert content.replace(b"\r\n", b"") == octets.replace(b"\r", b"").replace(b"\n", b"")

    @given(content=contents())
    def test_that_are_right_stay(self, content):
        assert content == mended(content)
        assert with_crlf(content) is content


class TestDotStuffing:
    @pytest.mark.guards("TX-1", "T30")
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b"", b".\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"..a\r\n", b"...a\r\n.\r\n"),
            (b"a\r\n.b\r\n", b"a\r\n..b\r\n.\r\n"),
            (b"a.\r\n", b"a.\r\n.\r\n"),
        ],
    )
    def test_doubles_the_dot_at_the_beginning_of_a_line(self, content, expected):
        assert expected == stuffed(content)

    @pytest.mark.guards("T35")
    def test_looks_for_line_ends_that_are_crlf(self):
        """
        A sender that stuffs behind LF alone has changed the message, or made an end of it for somebody.
        """
        assert b"a\n.b\r.c\r\n.\r\n" == stuffed(b"a\n.b\r.c\r\n")

    @pytest.mark.guards("TX-1", "T29")
    @given(data=st.data(), content=contents())
    def test_is_what_the_strategies_call_transmitted_however_it_is_cut(self, data, content):
        assert transmitted(content) == stuffed(*data.draw(chunkings(content)))

    @pytest.mark.guards("T29", "T30", "T35")
    @given(octets=wild_octets())
    def test_of_mended_lines_has_one_end(self, octets):
        """
        Whatever the octets were: the only CRLF.CRLF is the last.
        """
        sent = b"\r\n" + stuffed(mended(octets))

        assert len(sent) - 5 == sent.find(b"\r\n.\r\n")
