# SPDX-License-Identifier: Apache-2.0
"""
Where messages come from: files, folders, Maildirs, mboxes and standard input.
"""

import contextlib
import io
import os
import threading
from pathlib import Path

import pytest

from lmtp.cli import send_sources
from lmtp.cli.send_sources import Message, NoInputError, Unreadable, open_source

MESSAGE = b"Subject: a\n\nbody\n"
FROM = b"From ann@example.org Mon Jan  1 12:00:00 2024\n"


@pytest.fixture
def keep():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def read(keep, tmp_path):
    def read_source(name, standard_input=b"", *, is_mbox=False):
        path = name if name == "-" else str(tmp_path / name)
        source = open_source(path, io.BytesIO(standard_input), keep, is_mbox=is_mbox)
        return source.count, list(source.items)

    return read_source


class TestFile:
    def test_is_one_message(self, read, tmp_path):
        (tmp_path / "a").write_bytes(MESSAGE)

        assert (1, [Message(f"{tmp_path}/a", MESSAGE)]) == read("a")

    def test_that_is_big_stays_where_it_is(self, read, tmp_path, monkeypatch):
        monkeypatch.setattr(send_sources, "IN_MEMORY", 10)
        (tmp_path / "a").write_bytes(MESSAGE)

        assert (1, [Message(f"{tmp_path}/a", tmp_path / "a")]) == read("a")

    def test_that_is_empty_is_none(self, read, tmp_path):
        (tmp_path / "a").touch()

        assert (1, [Unreadable(f"{tmp_path}/a", "it is empty")]) == read("a")

    def test_that_is_not_there_is_said_before_anything_is_read(self, read):
        with pytest.raises(NoInputError, match="No such file"):
            read("a")

    def test_that_has_gone_when_its_turn_comes_does_not_keep_others_from_it(self, keep, tmp_path):
        (tmp_path / "a.eml").write_bytes(MESSAGE)
        (tmp_path / "b.eml").write_bytes(MESSAGE)
        source = open_source(str(tmp_path), io.BytesIO(), keep, is_mbox=False)
        (tmp_path / "a.eml").unlink()

        gone, there = source.items

        assert Unreadable(f"{tmp_path}/a.eml", "No such file or directory") == gone
        assert MESSAGE == there.content

    def test_that_is_a_pipe_is_read_once(self, read, tmp_path):
        os.mkfifo(tmp_path / "a")
        writer = threading.Thread(target=(tmp_path / "a").write_bytes, args=(MESSAGE,))
        writer.start()

        assert (1, [Message(f"{tmp_path}/a", MESSAGE)]) == read("a")
        writer.join()


class TestFolder:
    def test_has_its_eml_files_in_order(self, read, tmp_path):
        for name in ("b.eml", "a.eml", "note.txt"):
            (tmp_path / name).write_bytes(MESSAGE)

        count, items = read(".")

        assert 2 == count
        assert ["a.eml", "b.eml"] == [Path(item.name).name for item in items]

    def test_without_any_is_said(self, read):
        with pytest.raises(NoInputError, match="no Maildir"):
            read(".")

    def test_that_is_a_maildir_has_what_was_delivered_there(self, read, tmp_path):
        for name in ("new/2.x", "cur/1.x:2,S", "tmp/0.x", "new/.hidden"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(MESSAGE)

        count, items = read(".")

        assert 2 == count
        assert ["1.x:2,S", "2.x"] == [Path(item.name).name for item in items]

    def test_that_is_an_empty_maildir_has_nothing(self, read, tmp_path):
        for name in ("new", "cur"):
            (tmp_path / name).mkdir()

        assert (0, []) == read(".")


class TestMbox:
    def test_is_known_by_its_beginning(self, read, tmp_path):
        (tmp_path / "box").write_bytes(FROM + MESSAGE + b"\n" + FROM + b"\n" + FROM + MESSAGE)

        assert (
            None,
            [
                Message(f"{tmp_path}/box #1", MESSAGE),
                Unreadable(f"{tmp_path}/box #2", "it is empty"),
                Message(f"{tmp_path}/box #3", MESSAGE),
            ],
        ) == read("box")

    def test_that_was_announced_and_is_none_is_said(self, read, tmp_path):
        (tmp_path / "box").write_bytes(MESSAGE)

        _, (item,) = read("box", is_mbox=True)

        assert "no mbox" in item.why

    def test_that_has_gone_is_said(self, keep, tmp_path):
        (tmp_path / "box").write_bytes(FROM + MESSAGE)
        source = open_source(str(tmp_path / "box"), io.BytesIO(), keep, is_mbox=False)
        (tmp_path / "box").unlink()

        assert [Unreadable(f"{tmp_path}/box", "No such file or directory")] == list(source.items)

    def test_on_standard_input_is_read_where_it_is_announced(self, read):
        _, items = read("-", FROM + MESSAGE + b"\n" + FROM + MESSAGE, is_mbox=True)

        assert ["standard input #1", "standard input #2"] == [item.name for item in items]


class TestStandardInput:
    def test_is_one_message(self, read):
        assert (1, [Message("standard input", MESSAGE)]) == read("-", MESSAGE)

    def test_is_one_message_also_with_a_separator_before_it_and_in_it(self, read):
        octets = MESSAGE + b"\n" + FROM + MESSAGE

        assert (1, [Message("standard input", octets)]) == read("-", FROM + octets)

    def test_that_is_big_is_copied_until_all_is_sent(self, tmp_path, monkeypatch):
        monkeypatch.setattr(send_sources, "IN_MEMORY", 60)
        with contextlib.ExitStack() as keep:
            source = open_source("-", io.BytesIO(FROM + MESSAGE * 9), keep, is_mbox=False)
            (item,) = source.items
            assert MESSAGE * 9 == item.content.read_bytes()

        assert not item.content.parent.exists()

    def test_that_is_empty_is_said(self, read):
        with pytest.raises(NoInputError, match="empty"):
            read("-")
