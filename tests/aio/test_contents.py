# SPDX-License-Identifier: Apache-2.0
"""
What may be sent as a content, and what is known of it before it is.
"""

import email.message
import email.mime.text
import io

import pytest

from lmtp.aio.contents import PIECE_BYTES, UNKNOWN, Arriving, Measure, Octets, Passing, Stored, pieces_of, source_of
from lmtp.protocol.offered import Offered

OFFERED = Offered("store.example", {"8BITMIME": ()})
SEVEN_BIT = Offered("store.example")
BIG = b"line\n" * PIECE_BYTES


class Pipe(io.BytesIO):
    """
    A file that can't be read twice.
    """

    def seekable(self):
        return False


async def arriving():
    yield b"octets"


class TestSources:
    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
    def test_of_octets_have_every_line_end_a_crlf(self, kind):
        assert Octets(b"a\r\nb\r\nc\r\n") == source_of(kind(b"a\nb\r\nc\r"), OFFERED)

    def test_of_small_files_are_in_memory(self, tmp_path):
        (tmp_path / "message").write_bytes(b"a\n")

        assert Octets(b"a\r\n") == source_of(tmp_path / "message", OFFERED)

    def test_of_big_files_are_not(self, tmp_path):
        path = tmp_path / "message"
        path.write_bytes(BIG)

        source = source_of(path, OFFERED)
        assert Stored(path) == source
        assert [BIG] * 2 == [b"".join(source.pieces()) for _ in range(2)]

    def test_of_open_files_begin_where_they_stand_and_leave_them_open(self):
        file = io.BytesIO(b"skipped" + BIG)
        file.seek(7)

        source = source_of(file, OFFERED)
        assert BIG == b"".join(source.pieces()) == b"".join(source.pieces())
        assert not file.closed

    @pytest.mark.parametrize("content", [Pipe(b"octets"), iter([b"octets"])])
    def test_of_what_passes_by_can_be_read_once(self, content):
        source = source_of(content, OFFERED)

        assert isinstance(source, Passing)
        assert b"octets" == b"".join(source.pieces())

    def test_of_what_arrives_have_to_be_waited_for(self):
        assert isinstance(source_of(arriving(), OFFERED), Arriving)

    @pytest.mark.parametrize(
        ("content", "why"),
        [("text", "encode the text"), (io.StringIO("text"), "binary mode"), (42, "int is nothing that can be sent")],
        ids=str,
    )
    def test_are_not_made_of_text_or_other_things(self, content, why):
        with pytest.raises(TypeError, match=why):
            source_of(content, OFFERED)

    def test_of_a_file_that_is_not_there_raise(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            source_of(tmp_path / "message", OFFERED)


class TestMessageObjects:
    def message(self):
        message = email.message.EmailMessage()
        message["Subject"] = "Grüße"
        message["To"] = "bob@example.org"
        message["Bcc"] = "carl@example.org"
        message["Resent-Bcc"] = "dora@example.org"
        message.set_content("Schöne Grüße\n", cte="8bit")
        return message

    def test_lose_their_blind_recipients_and_are_not_changed(self):
        message = self.message()
        octets = source_of(message, OFFERED).octets

        assert b"cc:" not in octets.lower()
        assert "carl@example.org" == message["Bcc"]

    def test_keep_their_octets_above_127_where_the_server_takes_them(self):
        assert "Schöne Grüße".encode() in source_of(self.message(), OFFERED).octets

    def test_are_written_in_ascii_where_it_does_not(self):
        octets = source_of(self.message(), SEVEN_BIT).octets

        assert octets.isascii()
        assert "Schöne Grüße" in email.message_from_bytes(octets).get_payload(decode=True).decode()

    def test_have_utf_8_in_their_header_section_only_where_the_envelope_has_it(self):
        assert b"Subject: =?utf-8?" in source_of(self.message(), OFFERED).octets
        assert "Subject: Grüße".encode() in source_of(self.message(), OFFERED, needs_utf8=True).octets

    def test_of_the_old_kind_can_be_sent_too(self):
        message = email.mime.text.MIMEText("From me\nto you\n")

        assert b"\r\nFrom me\r\nto you\r\n" in source_of(message, OFFERED).octets


class TestMeasures:
    @pytest.mark.parametrize(
        ("octets", "expected"),
        [(b"", Measure(0, True)), (b"a", Measure(3, True)), (b"\xff\n", Measure(3, False)), (b"a\r", Measure(3, True))],
    )
    def test_of_octets_count_the_line_ends_that_will_be_sent(self, octets, expected):
        assert expected == source_of(octets, OFFERED).measure()

    def test_of_files_count_them_too(self):
        assert Measure(6 * PIECE_BYTES, True) == Stored(io.BytesIO(BIG)).measure()
        assert Measure(6 * PIECE_BYTES + 3, False) == Stored(io.BytesIO(BIG + b"\xff")).measure()

    def test_of_what_passes_by_are_not_known(self):
        assert UNKNOWN == Passing([b"octets"]).measure() == Arriving(arriving()).measure()


class TestPieces:
    @pytest.mark.parametrize(
        "source",
        [Octets(BIG), Stored(io.BytesIO(BIG)), Passing([BIG[:9], b"", BIG[9:]])],
        ids=lambda source: type(source).__name__,
    )
    async def test_make_up_the_whole(self, source):
        assert BIG == b"".join([piece async for piece in pieces_of(source)])

    async def test_arrive(self):
        assert [b"octets"] == [piece async for piece in pieces_of(Arriving(arriving()))]
