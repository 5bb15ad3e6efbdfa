# SPDX-License-Identifier: Apache-2.0
"""
Replies: what may be one, and that what leaves is one (RFC 5321 §4.2, RFC 2034 §4).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.protocol import reply as replies
from lmtp.protocol.reply import Reply
from lmtp.protocol.status import EnhancedStatus
from tests.protocol.session import read_replies

STANDARD = {name: value for name, value in vars(replies).items() if isinstance(value, Reply)}


def reply(text, code=550, status="5.1.1"):
    return Reply(code, EnhancedStatus(status) if status else None, text)


class TestReply:
    def test_is_one_line_with_code_status_and_text(self):
        assert b"550 5.1.1 No such user\r\n" == bytes(reply("No such user"))

    @pytest.mark.guards("RP-4", "ES-3", "T49")
    def test_has_code_and_status_on_each_of_its_lines(self):
        """
        RFC 2034 §4.
        """
        assert b"550-5.1.1 No\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n" == bytes(reply("No\nsuch\nuser"))

    def test_may_go_without_status(self):
        assert b"250-a\r\n250 b\r\n" == bytes(reply("a\nb", 250, None))

    @pytest.mark.guards("RP-4")
    def test_keeps_the_space_when_there_is_no_text(self):
        """
        RFC 5321 §4.2.1: the server should send it.
        """
        assert b"250 \r\n" == bytes(reply("", 250, None))
        assert b"550 5.1.1 \r\n" == bytes(reply(""))

    def test_is_written_on_one_line_for_the_log(self):
        assert "550 5.1.1 No such user" == str(reply("No\nsuch user"))
        assert "250 a b" == str(reply("a\nb", 250, None))

    @pytest.mark.guards("RP-2")
    @pytest.mark.parametrize("code", [0, 199, 600, 999])
    def test_takes_no_code_that_is_none(self, code):
        with pytest.raises(ValueError, match="not a reply code"):
            reply("text", code, None)

    @pytest.mark.guards("ES-2")
    @pytest.mark.parametrize(("code", "status"), [(250, "5.1.1"), (550, "2.0.0"), (354, "2.0.0"), (451, "5.0.0")])
    def test_takes_no_status_of_another_class(self, code, status):
        with pytest.raises(ValueError, match="does not go with"):
            reply("text", code, status)

    @pytest.mark.guards("LMTP-4.2-1")
    @pytest.mark.parametrize(("code", "expected"), [(250, True), (259, True), (354, False), (421, False), (550, False)])
    def test_is_positive_when_it_begins_with_2(self, code, expected):
        """
        RFC 2033 §4.
        """
        assert expected is reply("text", code, None).is_positive


class TestText:
    """
    RFC 5321 §4.2: tabs, spaces and printable ASCII, whatever went in.
    """

    @pytest.mark.guards("RP-5")
    def test_cannot_begin_a_reply_of_its_own(self):
        assert b"550-5.1.1 <a\r\n550 5.1.1 250 2.0.0 stored>\r\n" == bytes(reply("<a\r\n250 2.0.0 stored>"))

    @pytest.mark.guards("RP-5")
    def test_that_is_not_printable_is_replaced(self):
        assert b"550 5.1.1 j?rg ? ? ?\t.\r\n" == bytes(reply("jörg \0 \x7f \x1b\t."))
        assert b"550 5.1.1 a?b\r\n" == bytes(reply("a\rb"))

    @pytest.mark.guards("RP-4")
    def test_that_looks_like_a_code_stays_text(self):
        assert b"250-234 text\r\n250 251 text\r\n" == bytes(reply("234 text\n251 text", 250, None))

    @pytest.mark.guards("RP-6", "SZ-5")
    def test_that_is_too_long_is_folded(self):
        """
        RFC 5321 §4.5.3.1.5.
        """
        lines = bytes(reply("x" * 1200)).splitlines(keepends=True)

        assert [512, 512] == [len(line) for line in lines[:-1]]
        assert 1200 == sum(line.count(b"x") for line in lines)

    def test_that_just_fits_is_not_folded(self):
        assert 512 == len(bytes(reply("x" * (512 - len("550 5.1.1 \r\n")))))

    @pytest.mark.parametrize(("length", "lines"), [(12_288, 1), (12_289, 2)])
    def test_of_a_challenge_is_not_folded(self, length, lines):
        """
        RFC 4954 §4: a challenge is one line, up to a length of its own.
        """
        assert lines == bytes(replies.challenge("A" * length)).count(b"\r\n")

    @pytest.mark.guards("RP-2", "RP-5", "RP-6")
    @given(text=st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n\0 250-"), max_size=2000))
    def test_always_makes_exactly_one_reply(self, text):
        assert 1 == len(read_replies(bytes(reply(text))))


class TestStandardReplies:
    @pytest.mark.guards("ES-1")
    @pytest.mark.parametrize("name", STANDARD)
    def test_have_a_status_unless_the_code_is_3yz(self, name):
        """
        RFC 2034 §4.
        """
        value = STANDARD[name]

        assert (value.status is None) == (value.code // 100 == 3)
        assert [str(value)] == read_replies(bytes(value))

    def test_greeting_begins_with_the_servers_name(self):
        assert b"220 store.example LMTP ready\r\n" == bytes(replies.greeting("store.example", "LMTP"))

    def test_extension_list_has_a_line_for_each(self):
        listed = replies.extension_list("store.example", ["PIPELINING", "SIZE 100"])

        assert b"250-store.example\r\n250-PIPELINING\r\n250 SIZE 100\r\n" == bytes(listed)

    def test_others_are_made_with_what_they_name(self):
        assert "500 5.5.1 This is LMTP, use LHLO" == str(replies.wrong_protocol("LMTP", "LHLO"))
        assert "503 5.5.1 No valid recipients" == str(replies.no_recipients(503))
        assert "214 2.0.0 Commands: LHLO QUIT" == str(replies.help_text(["LHLO", "QUIT"]))
