# SPDX-License-Identifier: Apache-2.0
"""
The content of a transaction as it comes in: how big it is, what is wrong with it, and which complaint counts.
"""

import pytest

from lmtp.protocol.address import ReversePath
from lmtp.protocol.envelope import Envelope
from lmtp.protocol.intake import Intake
from lmtp.protocol.limits import Leniency, Limits
from lmtp.protocol.outcome import Deferred, Failed
from lmtp.protocol.parameters import Body, MailParameters

TOO_BIG = Failed("5.3.4")
STRAY = Failed("5.6.0", "Bare CR or LF in the message")
NUL = Failed("5.6.0", "NUL in the message")
BROKEN = Failed("5.5.1", "A chunk of the message was refused before")
FULL = Deferred("4.3.1")
LIMIT = 65536


def make_intake(leniency=Leniency.NONE, body=None):
    envelope = Envelope(ReversePath(), MailParameters(body=body))
    return Intake(envelope, Limits(message_bytes=LIMIT), leniency), envelope


def take_chunk(intake, octets, *, is_last=False):
    """
    Let one whole chunk come in, and return what is wanted of it.
    """
    intake.begin_chunk(len(octets), is_last=is_last)
    wanted, has_ended = intake.take(bytearray(octets))
    assert has_ended
    return wanted


class TestLines:
    def test_are_counted_and_handed_on(self):
        intake, envelope = make_intake()

        assert (b"..a", False) == intake.take(bytearray(b"...a\r\n."))
        assert (b"\r\n", True) == intake.take(bytearray(b"\r\n.\r\n"))
        assert 5 == envelope.size_bytes
        assert intake.refusal is None
        assert (True, 0) == (intake.is_last, intake.chunk_bytes), "there is but one piece, and no chunk"

    def test_that_are_too_many_are_not_wanted(self):
        intake, envelope = make_intake()
        intake.take(bytearray(b"x" * LIMIT))

        assert intake.refusal is None
        assert (b"", False) == intake.take(bytearray(b"x"))
        assert TOO_BIG == intake.refusal
        assert LIMIT + 1 == envelope.size_bytes

    @pytest.mark.parametrize(
        ("octets", "refusal", "leniency"),
        [
            (b"a\nb", STRAY, Leniency.STRAY_LINE_ENDS),
            (b"a\rb", STRAY, Leniency.STRAY_LINE_ENDS),
            (b"\0", NUL, Leniency.NUL),
        ],
    )
    def test_that_have_a_fault_are_not_wanted_unless_it_is_let_pass(self, octets, refusal, leniency):
        strict, _ = make_intake(~leniency)
        lenient, _ = make_intake(leniency)

        assert (b"", False) == strict.take(bytearray(octets))
        assert refusal == strict.refusal
        assert (octets, False) == lenient.take(bytearray(octets))
        assert lenient.refusal is None


class TestChunks:
    def test_are_counted_and_handed_on(self):
        intake, envelope = make_intake()

        assert b"a\r" == take_chunk(intake, b"a\r")
        assert (2, False) == (intake.chunk_bytes, intake.is_last)
        assert b"\n.\r\n" == take_chunk(intake, b"\n.\r\n", is_last=True)
        assert (4, True) == (intake.chunk_bytes, intake.is_last)
        assert 6 == envelope.size_bytes
        assert intake.refusal is None

    def test_may_come_in_pieces(self):
        intake, _ = make_intake()
        intake.begin_chunk(3, is_last=False)

        assert (b"a", False) == intake.take(bytearray(b"a"))
        assert (b"bc", True) == intake.take(bytearray(b"bcQUIT\r\n"))

    def test_fit_as_long_as_all_of_them_are_within_the_limit(self):
        intake, _ = make_intake()
        take_chunk(intake, b"x" * (LIMIT - 10))

        assert intake.has_room_for(10)
        assert not intake.has_room_for(11)

    def test_may_end_with_half_a_line_end_unless_they_are_the_last(self):
        intake, _ = make_intake()
        take_chunk(intake, b"a\r")

        assert intake.refusal is None
        assert b"" == take_chunk(intake, b"", is_last=True)
        assert STRAY == intake.refusal

    def test_of_a_binary_content_have_no_faults(self):
        intake, _ = make_intake(body=Body.BINARY)

        assert b"\0\r\r\n\n\r" == take_chunk(intake, b"\0\r\r\n\n\r", is_last=True)
        assert intake.refusal is None

    @pytest.mark.parametrize("body", [None, Body.SEVEN_BIT, Body.EIGHT_BIT])
    def test_of_any_other_have(self, body):
        intake, _ = make_intake(body=body)

        assert b"" == take_chunk(intake, b"\0", is_last=True)
        assert NUL == intake.refusal


class TestRefusal:
    """
    The client must not be told to try tomorrow what can't be then either.
    """

    def test_is_the_first_that_was_given(self):
        intake, _ = make_intake()
        intake.refuse(FULL)
        intake.refuse(Deferred("4.3.0"))

        assert FULL == intake.refusal

    def test_for_the_size_counts_more(self):
        announced, _ = make_intake()
        announced.refuse(FULL)
        announced.refuse_size()
        sent, _ = make_intake()
        sent.refuse(FULL)
        sent.take(bytearray(b"\0" * (LIMIT + 1)))

        assert TOO_BIG == announced.refusal == sent.refusal

    def test_for_a_fault_counts_more(self):
        intake, _ = make_intake()
        intake.refuse(FULL)
        intake.take(bytearray(b"a\nb\0"))

        assert STRAY == intake.refusal

    def test_of_a_chunk_counts_most(self):
        intake, _ = make_intake()
        intake.refuse(FULL)
        intake.break_off()

        assert BROKEN == intake.refusal
