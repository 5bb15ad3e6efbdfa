# SPDX-License-Identifier: Apache-2.0
"""
The sweep: what died deliveries left goes, everything else stays.
"""

import os
from pathlib import Path

import pytest

from lmtp.stores.maildir import MAX_AGE_SECONDS, Maildir, MaildirOptions

NOW = 1_700_000_000


@pytest.fixture
def store(tmp_path):
    return Maildir(MaildirOptions(root=str(tmp_path)), clock=lambda: NOW)


def make_maildir(folder: Path) -> Path:
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True)
    return folder


def make_file(path: Path, age_seconds: int) -> Path:
    path.write_bytes(b"x")
    os.utime(path, (NOW - age_seconds, NOW - age_seconds))
    return path


class TestSweep:
    """
    36 hours, as the maildir page has it.
    """

    @pytest.mark.guards("MD-5")
    def test_removes_old_files_and_tells_which(self, tmp_path, store):
        ann = make_maildir(tmp_path / "example.org" / "ann")
        old = make_file(ann / "tmp" / "old", MAX_AGE_SECONDS + 1)

        assert (str(old),) == store.sweep().removed
        assert not old.exists()

    @pytest.mark.guards("MD-5")
    def test_keeps_what_may_still_be_written(self, tmp_path, store):
        ann = make_maildir(tmp_path / "example.org" / "ann")
        young = make_file(ann / "tmp" / "young", MAX_AGE_SECONDS)

        assert () == store.sweep().removed
        assert young.exists()

    def test_keeps_messages_however_old(self, tmp_path, store):
        ann = make_maildir(tmp_path / "example.org" / "ann")
        messages = [make_file(ann / name / "m", 10 * MAX_AGE_SECONDS) for name in ("new", "cur")]

        assert () == store.sweep().removed
        assert all(path.exists() for path in messages)

    @pytest.mark.parametrize("folder", ["ann", "example.org/ann/.Sent", "."])
    def test_keeps_to_the_depth_of_the_template(self, tmp_path, store, folder):
        other = make_file(make_maildir(tmp_path / folder) / "tmp" / "old", 10 * MAX_AGE_SECONDS)

        assert () == store.sweep().removed
        assert other.exists()

    def test_keeps_out_of_what_is_no_maildir(self, tmp_path, store):
        (tmp_path / "example.org" / "ann" / "tmp").mkdir(parents=True)
        other = make_file(tmp_path / "example.org" / "ann" / "tmp" / "old", 10 * MAX_AGE_SECONDS)

        assert () == store.sweep().removed
        assert other.exists()

    @pytest.mark.parametrize("link", ["example.org", "example.org/ann", "example.org/ann/tmp"])
    def test_follows_no_symbolic_link(self, tmp_path, link):
        real = make_maildir(tmp_path / "real" / "example.org" / "ann")
        precious = make_file(real / "tmp" / "precious", 10 * MAX_AGE_SECONDS)
        root = tmp_path / "mail"
        make_maildir(root / "example.org" / "ann")
        (root / link).rename(tmp_path / "moved")
        (root / link).symlink_to(tmp_path / "real" / link)

        assert () == Maildir(MaildirOptions(root=str(root)), clock=lambda: NOW).sweep().removed
        assert precious.exists()

    def test_removes_neither_folders_nor_links(self, tmp_path, store):
        ann = make_maildir(tmp_path / "example.org" / "ann")
        (ann / "tmp" / "folder").mkdir()
        (ann / "tmp" / "link").symlink_to("nowhere")

        assert () == store.sweep().removed

    def test_goes_on_after_an_error_and_tells_it(self, tmp_path, store, monkeypatch):
        ann = make_maildir(tmp_path / "example.org" / "ann")
        ben = make_maildir(tmp_path / "example.org" / "ben")
        for folder in (ann, ben):
            make_file(folder / "tmp" / "old", 10 * MAX_AGE_SECONDS)
        unlink = os.unlink

        def stubborn(path):
            if "ann" in os.fspath(path):
                raise PermissionError(path)
            unlink(path)

        monkeypatch.setattr(os, "unlink", stubborn)
        swept = store.sweep()

        assert (str(ben / "tmp" / "old"),) == swept.removed
        assert [PermissionError] == [type(error) for error in swept.errors]

    def test_unreadable_folder_is_told(self, tmp_path, store, monkeypatch):
        make_maildir(tmp_path / "example.org" / "ann")

        def refuse(path):
            raise PermissionError(path)

        monkeypatch.setattr(os, "scandir", refuse)

        assert [PermissionError] == [type(error) for error in store.sweep().errors]

    def test_file_that_another_sweep_took_is_no_error(self, tmp_path, store, monkeypatch):
        ann = make_maildir(tmp_path / "example.org" / "ann")
        make_file(ann / "tmp" / "old", 10 * MAX_AGE_SECONDS)

        def late(path):
            raise FileNotFoundError(path)

        monkeypatch.setattr(os, "unlink", late)

        assert ((), ()) == (store.sweep().removed, store.sweep().errors)

    def test_missing_root_is_empty(self, tmp_path):
        assert () == Maildir(MaildirOptions(root=str(tmp_path / "none"))).sweep().errors
