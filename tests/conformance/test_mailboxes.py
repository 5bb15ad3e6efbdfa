# SPDX-License-Identifier: Apache-2.0
"""
Finding in Maildirs what was delivered.
"""

import time

import pytest

from lmtp.conformance import mailboxes


def deliver(root, folder, octets):
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / f"{time.monotonic_ns()}").write_bytes(octets)


class TestFind:
    def test_looks_into_new_and_cur_of_every_maildir(self, tmp_path):
        for folder in ("a/new", "b/c/cur", "new"):
            deliver(tmp_path, folder, b"token")
        for folder in ("a/tmp", "b/c/other"):
            deliver(tmp_path, folder, b"token")
        deliver(tmp_path, "a/new", b"something else")

        assert [b"token"] * 3 == mailboxes.find(tmp_path, b"token", since=0)

    def test_leaves_old_files_closed(self, tmp_path):
        deliver(tmp_path, "new", b"token")

        assert [] == mailboxes.find(tmp_path, b"token", since=time.time() + 60)

    def test_leaves_out_what_vanishes(self, tmp_path):
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "gone").symlink_to(tmp_path / "nowhere")

        assert [] == mailboxes.find(tmp_path, b"token", since=0)

    def test_says_when_the_folder_cannot_be_read(self, tmp_path):
        (tmp_path / "file").touch()

        with pytest.raises(NotADirectoryError):
            mailboxes.find(tmp_path / "file", b"token", since=0)

    def test_finds_nothing_where_nothing_is(self, tmp_path):
        assert [] == mailboxes.find(tmp_path / "nowhere", b"token", since=0)


class TestParts:
    MESSAGE = b"A: 1\r\nReceived: from a\r\n\tby b\r\nreceived:  c\r\n\r\nbody\r\n\r\nmore\r\n"

    def test_fields_are_unfolded_and_found_in_any_case(self):
        assert [b"from a by b", b"c"] == mailboxes.fields_of(self.MESSAGE, b"RECEIVED")

    def test_body_has_lf(self):
        assert b"body\n\nmore\n" == mailboxes.body_of(self.MESSAGE)
