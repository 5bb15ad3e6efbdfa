# SPDX-License-Identifier: Apache-2.0
"""
Mboxes: where a message begins and ends, and what stood before what looks like a separator.
"""

import mailbox

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.message.mbox import messages_in, without_separator

FROM = b"From ann@example.org Mon Jan  1 12:00:00 2024\n"

LINES = st.sampled_from([b"Subject: x\n", b"\n", b"From here on\n", FROM, b">From x\n", b">>From x\n", b"word\n"])


def read(octets):
    return list(messages_in(octets.splitlines(keepends=True)))


def quoted(line):
    return b">" + line if line.lstrip(b">").startswith(b"From ") else line


class TestMessages:
    def test_stand_between_separators(self):
        octets = FROM + b"Subject: a\n\nbody\n\n" + FROM + b"Subject: b\n\nbody\n\n"

        assert [b"Subject: a\n\nbody\n", b"Subject: b\n\nbody\n"] == read(octets)

    def test_keep_their_line_ends(self):
        octets = FROM.replace(b"\n", b"\r\n") + b"a: b\r\n\r\nc\r\n\r\n" + FROM + b"d: e\n\n"

        assert [b"a: b\r\n\r\nc\r\n", b"d: e\n"] == read(octets)

    def test_may_lack_the_empty_line_at_the_end_of_the_file(self):
        assert [b"Subject: a\n\nbody"] == read(FROM + b"Subject: a\n\nbody")

    def test_may_be_empty(self):
        assert [b"", b"Subject: b\n"] == read(FROM + b"\n" + FROM + b"Subject: b\n\n")

    def test_are_none_in_an_empty_file(self):
        assert [] == read(b"")

    def test_lose_one_of_the_quotes_of_what_looks_like_a_separator(self):
        octets = FROM + b"a: b\n\n>From me\n>>From you\n> From him\n>Fromage\n"

        assert [b"a: b\n\nFrom me\n>From you\n> From him\n>Fromage\n"] == read(octets)

    def test_are_not_parted_by_a_sentence_that_was_not_quoted(self):
        octets = FROM + b"a: b\n\n\nFrom here on it is dark\n" + FROM

        assert [b"a: b\n\n\nFrom here on it is dark\n" + FROM] == read(octets)

    def test_come_one_at_a_time(self):
        def lines():
            yield from (FROM, b"a: b\n", b"\n", FROM)
            raise AssertionError("read too far")

        assert b"a: b\n" == next(messages_in(lines()))

    @given(st.lists(st.lists(LINES), min_size=1))
    def test_come_back_as_they_were_written(self, messages):
        octets = b"".join(FROM + b"".join(map(quoted, message)) + b"\n" for message in messages)

        assert [b"".join(message) for message in messages] == read(octets)

    def test_are_those_of_pythons_own_writer(self, tmp_path):
        box = mailbox.mbox(tmp_path / "box")
        for text in ("Subject: a\n\nFrom a\n", "Subject: b\n\nb\n\nFrom b 10:20\n"):
            box.add(text)
        box.close()

        assert [b"Subject: a\n\nFrom a\n", b"Subject: b\n\nb\n\nFrom b 10:20\n"] == read(
            (tmp_path / "box").read_bytes()
        )


class TestWhatIsNone:
    def test_is_refused(self):
        with pytest.raises(ValueError, match="no mbox"):
            read(b"Subject: a\n\nbody\n")


class TestSeparator:
    def test_before_a_single_message_is_dropped(self):
        assert b"Subject: a\n" == without_separator(FROM + b"Subject: a\n")

    def test_is_dropped_once(self):
        assert FROM == without_separator(FROM + FROM)

    def test_that_is_not_there_changes_nothing(self):
        assert b"Subject: a\n\nFrom x\n" == without_separator(b"Subject: a\n\nFrom x\n")
