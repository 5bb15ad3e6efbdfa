# SPDX-License-Identifier: Apache-2.0
"""
What a transcript shows: printable, bounded, in order.
"""

from hypothesis import given
from hypothesis import strategies as st

from lmtp.conformance.transcript import MAX_LINES, MAX_SHOWN, Transcript, printable


class TestPrintable:
    def test_escapes_what_would_harm_a_terminal(self):
        assert r"a\x1b[31m\r\n\t\\\xff\x00" == printable(b"a\x1b[31m\r\n\t\\\xff\0")

    def test_cuts_the_middle_out_of_what_is_long(self):
        shown = printable(b"a" * 1000 + b"z")

        assert shown.startswith("aaa")
        assert shown.endswith("aaz")
        assert "[... 1001 octets ...]" in shown

    @given(st.binary(max_size=3 * MAX_SHOWN))
    def test_is_always_printable_and_bounded(self, octets):
        shown = printable(octets)

        assert shown.isascii()
        assert not shown or shown.isprintable()
        assert len(shown) <= 4 * MAX_SHOWN + 40


class TestTranscript:
    def test_has_a_line_for_each_line(self):
        transcript = Transcript()
        transcript.client(b"RSET\r\nNOOP\r\n")
        transcript.server(b"250 Ok\r\n")
        transcript.note("the end")

        assert (r"C: RSET\r\n", r"C: NOOP\r\n", r"S: 250 Ok\r\n", "   (the end)") == transcript.lines

    def test_shows_many_lines_at_once_as_one(self):
        transcript = Transcript()
        transcript.client(b"NOOP\r\n" * 9)

        assert 1 == len(transcript.lines)

    def test_keeps_the_first_and_the_last_of_a_long_talk(self):
        transcript = Transcript()
        for number in range(1000):
            transcript.note(str(number))

        assert "   (0)" == transcript.lines[0]
        assert "   (999)" == transcript.lines[-1]
        assert MAX_LINES + 1 == len(transcript.lines)
        assert f"   [... {1000 - MAX_LINES} lines ...]" in transcript.lines
