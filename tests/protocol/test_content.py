# SPDX-License-Identifier: Apache-2.0
"""
Contents: where they end, which dots go, and what is found fault with (RFC 5321 §4.5.2, §4.1.1.4).
"""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmtp.protocol.content import ChunkDecoder, DotDecoder, Fault
from lmtp.testing.strategies import chunkings, contents, transmitted, wild_octets

END = b"\r\n.\r\n"
PARTS = [b"\r", b"\n", b"\r\n", b".", b"..", b"\0", b"a", b"bc", b"\r\n.", b"\n.\n", b"\r.\r"]

# Sequences that one receiver or another took for the end of a content.
FALSE_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\n.\r",
    b"\r\n.\r\r\n",
    b"\r\n\x00.\r\n",
    b"\r\n.\x00\r\n",
]


def decode(*pieces):
    """
    Feed the pieces one after the other until the content ends.

    Returns:
        The decoded content, whether it has ended, what was found, and what is left.
    """
    decoder, received, decoded, ended = DotDecoder(), bytearray(), b"", False
    for piece in pieces:
        received += piece
        if not ended:
            octets, ended = decoder.decode(received)
            decoded += octets
    return decoded, ended, decoder.faults, bytes(received)


def decode_naively(octets):
    """
    Decode line by line, as RFC 5321 §4.5.2 tells it.
    """
    stream = b"\r\n" + octets
    end = stream.find(END)
    if end < 0:
        return None
    lines = stream[2 : end + 2].split(b"\r\n") if end else [b""]
    content = b"\r\n".join(line.removeprefix(b".") for line in lines)
    return content, True, faults_naively(content), stream[end + len(END) :]


def one_by_one(octets):
    return [octets[i : i + 1] for i in range(len(octets))]


class TestDots:
    """
    RFC 5321 §4.5.2: a line that begins with a dot loses exactly one.
    """

    @pytest.mark.guards("TX-2")
    @pytest.mark.parametrize(
        ("sent", "expected"),
        [
            (b"..\r\n.\r\n", b".\r\n"),
            (b"...\r\n.\r\n", b"..\r\n"),
            (b".a\r\n.\r\n", b"a\r\n"),
            (b"a\r\n..\r\n.\r\n", b"a\r\n.\r\n"),
            (b"a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n"),
            (b"a.\r\n.\r\n", b"a.\r\n"),
            (b"a\r\n\r\n.\r\n", b"a\r\n\r\n"),
        ],
    )
    def test_are_taken_away_at_the_start_of_a_line(self, sent, expected):
        assert (expected, True, Fault.NONE, b"") == decode(sent)
        assert (expected, True, Fault.NONE, b"") == decode(*one_by_one(sent))

    @pytest.mark.parametrize("line_end", [b"\r", b"\n"])
    def test_are_left_alone_after_a_stray_line_end(self, line_end):
        decoded, _, faults, _ = decode(b"a" + line_end + b"..b\r\n.\r\n")

        assert b"a" + line_end + b"..b\r\n" == decoded
        assert Fault.STRAY_LINE_END == faults


class TestEnd:
    """
    RFC 5321 §4.1.1.4: CRLF.CRLF and nothing else.
    """

    @pytest.mark.guards("TX-5")
    def test_may_come_at_once(self):
        assert (b"", True, Fault.NONE, b"") == decode(b".\r\n")

    def test_may_come_at_once_octet_by_octet(self):
        assert (b"", True, Fault.NONE, b"") == decode(b".", b"\r", b"\n")

    def test_leaves_what_follows_alone(self):
        assert (b"a\r\n", True, Fault.NONE, b"MAIL FROM:<>\r\n") == decode(b"a\r\n.\r\nMAIL FROM:<>\r\n")
        assert (b"", True, Fault.NONE, b".\r\n") == decode(b".\r\n.\r\n")

    @pytest.mark.parametrize("cut", range(1, 6))
    def test_may_come_in_two_pieces(self, cut):
        assert (b"a\r\n", True, Fault.NONE, b"") == decode(b"a\r\n.\r\n"[:cut], b"a\r\n.\r\n"[cut:])

    @pytest.mark.guards("TX-4", "TX-11")
    @pytest.mark.parametrize("false_end", FALSE_ENDS)
    def test_is_nothing_else(self, false_end):
        sent = b"a" + false_end + b"QUIT" + END + b"RSET\r\n"
        content = b"a" + false_end.replace(b"\r\n.", b"\r\n") + b"QUIT\r\n"

        for pieces in ([sent], one_by_one(sent)):
            decoded, ended, faults, rest = decode(*pieces)

            assert (content, True, b"RSET\r\n") == (decoded, ended, rest)
            assert Fault.NONE != faults

    @pytest.mark.guards("TX-11")
    @pytest.mark.parametrize("false_end", FALSE_ENDS)
    def test_is_nothing_else_before_the_first_line(self, false_end):
        sent = false_end.removeprefix(b"\r\n") + b"QUIT"

        assert not decode(sent)[1]
        assert not decode(*one_by_one(sent))[1]

    def test_that_has_not_come_keeps_back_only_what_may_be_its_beginning(self):
        assert (b"abc", False, Fault.NONE, b"\r\n.\r") == decode(b"abc\r\n.\r")


class TestFaults:
    """
    RFC 5321 §2.3.8, §4.5.2: what should not be in a content is noted, and kept.
    """

    def test_nul_is_noted(self):
        assert (b"a\0b\r\n", True, Fault.NUL, b"") == decode(b"a\0b\r\n.\r\n")

    @pytest.mark.parametrize("stray", [b"a\rb", b"a\nb", b"a\r\r\n", b"\n", b"\r\r\n"])
    def test_stray_line_end_is_noted(self, stray):
        sent = stray + b"\r\n.\r\n"

        assert (stray + b"\r\n", True, Fault.STRAY_LINE_END, b"") == decode(sent)
        assert (stray + b"\r\n", True, Fault.STRAY_LINE_END, b"") == decode(*one_by_one(sent))

    def test_other_octets_are_no_fault(self):
        every = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")

        assert (every + b"\r\n", True, Fault.NONE, b"") == decode(every + b"\r\n.\r\n")


class TestChunking:
    @pytest.mark.slow
    def test_twenty_thousand_random_contents_decode_as_the_letter_says(self):
        dice = random.Random(2033)
        for _ in range(20_000):
            sent = b"".join(dice.choices(PARTS, k=dice.randrange(12))) + END
            pieces, rest = [], sent
            while rest:
                cut = dice.randint(1, 5)
                pieces.append(rest[:cut])
                rest = rest[cut:]

            assert decode_naively(sent) == decode(*pieces), pieces

    @given(octets=wild_octets(), data=st.data())
    @example(octets=b".", data=None)
    def test_makes_no_difference(self, octets, data):
        pieces = data.draw(chunkings(octets)) if data else one_by_one(octets)

        assert decode(octets) == decode(*pieces)

    @given(content=contents(), data=st.data())
    def test_what_a_client_means_is_what_arrives(self, content, data):
        pieces = data.draw(chunkings(transmitted(content)))

        assert (content, True, Fault.NONE, b"") == decode(*pieces)


def decode_chunks(*chunks, pieces=None):
    """
    Feed chunks one after the other, or their octets in pieces.

    Returns:
        The decoded content, and what was found after each chunk and after the last.
    """
    decoder, received, faults = ChunkDecoder(), bytearray(), []
    coming, decoded = list(pieces or [b"".join(chunks)]), b""
    for chunk in chunks:
        decoder.begin(len(chunk))
        taken, ended = decoder.decode(received)
        decoded += taken
        while not ended:
            received += coming.pop(0)
            taken, ended = decoder.decode(received)
            decoded += taken
        faults.append(decoder.faults)
    decoder.finish()
    return decoded, [*faults, decoder.faults]


class TestChunks:
    """
    RFC 3030 §2: so many octets, and no dot means anything.
    """

    def test_are_taken_as_they_are(self):
        assert (b"..\r\n.\r\n", [Fault.NONE] * 3) == decode_chunks(b"..\r\n", b".\r\n")

    def test_leave_what_follows_alone(self):
        decoder, received = ChunkDecoder(), bytearray(b"abcQUIT\r\n")
        decoder.begin(3)

        assert (b"abc", True) == decoder.decode(received)
        assert b"QUIT\r\n" == received
        assert (b"", True) == decoder.decode(received), "asked again it says the same"

    def test_do_not_begin_by_themselves(self):
        received = bytearray(b"QUIT\r\n")

        assert (b"", True) == ChunkDecoder().decode(received)
        assert b"QUIT\r\n" == received

    def test_may_be_empty(self):
        decoder, received = ChunkDecoder(), bytearray(b"QUIT\r\n")
        decoder.begin(0)

        assert (b"", True) == decoder.decode(received)
        assert b"QUIT\r\n" == received

    @pytest.mark.guards("CH-17")
    def test_may_cut_a_line_end_in_two(self):
        assert [Fault.NONE] * 4 == decode_chunks(b"a\r", b"", b"\nb\r\n")[1]

    @pytest.mark.parametrize(
        ("chunks", "expected"),
        [
            ((b"a\r", b"b"), [Fault.NONE, Fault.STRAY_LINE_END, Fault.STRAY_LINE_END]),
            ((b"a\r",), [Fault.NONE, Fault.STRAY_LINE_END]),
            ((b"a\r", b""), [Fault.NONE, Fault.NONE, Fault.STRAY_LINE_END]),
            ((b"\r\r", b"\n"), [Fault.STRAY_LINE_END] * 3),
            ((b"\n",), [Fault.STRAY_LINE_END] * 2),
            ((b"\0\r",), [Fault.NUL, Fault.NUL | Fault.STRAY_LINE_END]),
            ((b"\0", b"\n"), [Fault.NUL, Fault.NUL | Fault.STRAY_LINE_END, Fault.NUL | Fault.STRAY_LINE_END]),
        ],
    )
    def test_have_the_faults_of_the_content_they_make(self, chunks, expected):
        assert expected == decode_chunks(*chunks)[1]

    @given(octets=wild_octets(), data=st.data())
    def test_make_the_same_content_however_they_are_cut(self, octets, data):
        chunks, pieces = data.draw(chunkings(octets)), data.draw(chunkings(octets))
        decoded, faults = decode_chunks(*chunks, pieces=pieces)
        seen = [b"".join(chunks[: number + 1]) for number in range(len(chunks))]

        assert octets == decoded
        assert [faults_naively(part.removesuffix(b"\r")) for part in seen] == faults[:-1]
        assert faults_naively(octets) == faults[-1]


def faults_naively(octets):
    bare = octets.replace(b"\r\n", b"")
    stray = Fault.STRAY_LINE_END if b"\r" in bare or b"\n" in bare else Fault.NONE
    return stray | (Fault.NUL if b"\0" in octets else Fault.NONE)


class TestWork:
    def test_what_is_kept_back_never_grows(self):
        decoder, received = DotDecoder(), bytearray()
        for octet in one_by_one(b".\r.\r\n.\r\r\n\n..\r\n" * 100):
            received += octet
            decoder.decode(received)

            assert len(received) <= 4
