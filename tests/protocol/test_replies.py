# SPDX-License-Identifier: Apache-2.0
"""
Replies as a client reads them (RFC 5321 §4.2).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol.errors import RemoteProtocolError
from lmtp.protocol.replies import MAX_LINES, ReplyParser
from lmtp.protocol.reply import MAX_CHALLENGE_LINE, Reply
from lmtp.testing.strategies import chunkings

REPLIES = b"220 store.example\r\n250-a\r\n250-b\r\n250 c\r\n452\r\n554-\r\n554 5.6.0 no\r\n"
"""Replies of one line and of several, with text and without."""


def read(*pieces, reads_status=False):
    """
    Return the replies in octets that come in pieces.
    """
    parser = ReplyParser()
    parser.reads_status = reads_status
    replies = []
    for piece in pieces:
        parser.feed(piece)
        while (reply := parser.next_reply()) is not None:
            replies.append(reply)
    return replies


def read_one(octets, **settings):
    (reply,) = read(octets, **settings)
    return reply


class TestReplies:
    @pytest.mark.guards("RP-3")
    @pytest.mark.parametrize("octets", [b"250\r\n", b"250 \r\n"])
    def test_need_no_text(self, octets):
        assert Reply(250, None, "") == read_one(octets)

    @pytest.mark.guards("RP-8", "LMTP-4.2-6")
    def test_of_several_lines_are_one(self):
        assert [Reply(250, None, "a\nb\nc"), Reply(550, None, "")] == read(b"250-a\r\n250-b\r\n250 c\r\n550\r\n")

    def test_may_have_lines_without_text(self):
        assert Reply(250, None, "\n") == read_one(b"250-\r\n250\r\n")

    def test_may_have_text_that_looks_like_a_code(self):
        assert Reply(250, None, "234 text\n250-x") == read_one(b"250-234 text\r\n250 250-x\r\n")

    @given(pieces=chunkings(REPLIES))
    def test_are_the_same_however_the_octets_are_cut(self, pieces):
        assert read(REPLIES) == read(*pieces)

    @pytest.mark.guards("CLI-1")
    @pytest.mark.parametrize("code", [200, 259, 299, 399, 455, 490, 599])
    def test_may_have_a_code_nobody_knows(self, code):
        assert code == read_one(b"%d what\r\n" % code).code

    def test_may_be_in_utf8_or_whatever_else(self):
        assert "Grüße \\xff" == read_one(b"250 Gr\xc3\xbc\xc3\x9fe \xff\r\n").text

    def test_bring_nothing_that_moves_a_cursor_or_ends_a_line(self):
        """
        Texts go to terminals and into logs.
        """
        text = "a\tb\x1b[2Jc\rd\0\x85\u2028e"

        assert "a\tb?[2Jc?d???e" == read_one(f"250 {text}\r\n".encode()).text

    def test_are_known_by_their_beginning_before_they_are_whole(self):
        parser = ReplyParser()

        assert b"" == parser.beginning
        parser.feed(b"42")
        assert (None, b"42") == (parser.next_reply(), parser.beginning)
        parser.feed(b"1-a\r\n5")
        assert (None, b"421") == (parser.next_reply(), parser.beginning)


class TestLimits:
    @pytest.mark.guards("RP-7")
    def test_are_far_beyond_what_servers_may_say(self):
        line = b"x" * (MAX_CHALLENGE_LINE - len("250 \r\n"))

        assert len(line) == len(read_one(b"250 %b\r\n" % line).text)

    @pytest.mark.guards("RP-7")
    @pytest.mark.parametrize("end", [b"", b"\r\n"])
    def test_of_a_line_end_the_reading(self, end):
        with pytest.raises(RemoteProtocolError, match="a line of more than 12294 octets"):
            read(b"250 " + b"x" * (MAX_CHALLENGE_LINE - 4) + end)

    @pytest.mark.guards("RP-7")
    def test_of_a_reply_end_the_reading(self):
        assert MAX_LINES == len(read_one(b"250-x\r\n" * (MAX_LINES - 1) + b"250 x\r\n").text.split("\n"))
        with pytest.raises(RemoteProtocolError, match="a reply of more than 1024 lines"):
            read(b"250-x\r\n" * (MAX_LINES + 1))

    def test_hold_for_a_line_that_comes_octet_by_octet(self):
        parser = ReplyParser()
        for _ in range(MAX_CHALLENGE_LINE - 1):
            parser.feed(b"2")
            assert parser.next_reply() is None
        parser.feed(b"2")

        with pytest.raises(RemoteProtocolError):
            parser.next_reply()


class TestFaults:
    @pytest.mark.guards("CLI-2")
    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b" ",
            b"25",
            b"100 go on",
            b"600 what",
            b"2500 ok",
            b"250x",
            b"250\tok",
            b"+OK",
            b"HTTP-1.1 400",
        ],
    )
    def test_are_lines_that_are_no_replies(self, line):
        with pytest.raises(RemoteProtocolError, match="is no reply"):
            read(line + b"\r\n")

    @pytest.mark.guards("RP-4")
    @pytest.mark.parametrize("octets", [b"250-a\r\n550 b\r\n", b"250-a\r\n251-b\r\n"])
    def test_are_lines_with_different_codes_as_soon_as_they_are_there(self, octets):
        with pytest.raises(RemoteProtocolError, match="different codes"):
            read(octets)

    @pytest.mark.guards("GR-1")
    def test_are_lines_that_end_in_lf_alone(self):
        """
        What a server echoes of others' text must not become a reply, or every reply after it is somebody else's.
        """
        with pytest.raises(RemoteProtocolError, match="LF alone"):
            read(b"550 5.1.1 no such user: ann\n250 2.0.0 ok\r\n")


class TestEnhancedStatus:
    @pytest.mark.guards("ES-6")
    def test_is_read_where_the_server_has_listed_it(self):
        octets = b"550 5.1.1 no such user\r\n"

        assert Reply(550, None, "5.1.1 no such user") == read_one(octets)
        assert ("5.1.1", "no such user") == (
            (reply := read_one(octets, reads_status=True)).status,
            reply.text,
        )

    @pytest.mark.parametrize("octets", [b"250 2.1.5\r\n", b"250 2.1.5  \r\n"])
    def test_may_stand_alone(self, octets):
        reply = read_one(octets, reads_status=True)

        assert ("2.1.5", "") == (reply.status, reply.text)

    @pytest.mark.guards("ES-6")
    @pytest.mark.parametrize(
        "octets",
        [b"550 4.2.2 full\r\n", b"354 2.0.0 go\r\n", b"250 2.01.5 ok\r\n", b"250 2.1 ok\r\n", b"250 2.1.5ok\r\n"],
    )
    def test_that_is_none_or_of_another_class_is_text(self, octets):
        """
        Servers with 4.x.x behind 5yz were seen: the basic code decides.
        """
        reply = read_one(octets, reads_status=True)

        assert (None, octets[4:-2].decode()) == (reply.status, reply.text)

    def test_is_taken_from_the_last_line_and_cut_from_all(self):
        """
        Lines before the last may lack it, though RFC 2034 §4 says they must not; a longer code is none of its own.
        """
        octets = b"550-Mailbox unknown\r\n550-5.1.10 x\r\n550-5.1.1 y\r\n550 5.1.1 z\r\n"
        reply = read_one(octets, reads_status=True)

        assert ("5.1.1", "Mailbox unknown\nx\ny\nz") == (reply.status, reply.text)

    @given(text=st.text(st.characters(codec="utf-8"), max_size=40))
    def test_never_makes_a_line_unreadable(self, text):
        line = text.replace("\n", " ").encode()

        assert 250 == read_one(b"250 " + line + b"\r\n", reads_status=True).code
