# SPDX-License-Identifier: Apache-2.0
"""
Folders that are there to stay. The order of the calls is test_power_loss.py's.
"""

import os
import shutil

import pytest

from lmtp.stores import durable
from lmtp.stores.durable import Folders, sync_folder


class TestSyncFolder:
    """
    The names in a folder.
    """

    def test_file_is_no_folder(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")

        with pytest.raises(NotADirectoryError):
            sync_folder(str(tmp_path / "file"))

    def test_failed_fsync_leaves_no_descriptor_open(self, tmp_path, monkeypatch):
        def fail(descriptor):
            failed.append(descriptor)
            raise OSError("injected")

        failed = []
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match=r"injected"):
            sync_folder(str(tmp_path))

        with pytest.raises(OSError, match=r"Bad file descriptor"):
            os.fstat(failed[0])


class TestFolders:
    """
    Folders that are there to stay.
    """

    def test_forgetting_what_was_never_known_is_nothing(self, tmp_path):
        Folders(str(tmp_path), 0o700).forget(str(tmp_path / "a" / "b"))

    def test_each_is_fsynced_once_and_again_when_forgotten(self, tmp_path, monkeypatch):
        synced = []
        monkeypatch.setattr(durable, "sync_folder", synced.append)
        folders = Folders(str(tmp_path), 0o700)
        ann = str(tmp_path / "example.org" / "ann")
        for _ in range(3):
            folders.require(ann, ("new",))
        below = [str(tmp_path), str(tmp_path / "example.org"), ann]

        assert below == [path for path in synced if path in below]
        synced.clear()
        folders.forget(ann)
        folders.require(ann, ("new",))
        assert below == synced

    @pytest.mark.parametrize("is_there", [True, False], ids=["there", "missing"])
    def test_name_of_the_root_is_made_sure_once_up_to_where_we_may_write(self, tmp_path, monkeypatch, is_there):
        root = tmp_path / "writable" / "mail"
        (root if is_there else root.parent).mkdir(parents=True)
        synced = []
        monkeypatch.setattr(durable, "sync_folder", synced.append)
        monkeypatch.setattr(os, "access", lambda path, mode: path == str(root.parent))
        folders = Folders(str(root), 0o700)
        folders.require(str(root / "ann"), ())
        folders.require(str(root / "ben"), ())

        assert 1 == synced.count(str(root.parent))
        assert str(tmp_path) not in synced

    def test_root_that_is_made_again_is_made_sure_again(self, tmp_path, monkeypatch):
        root = tmp_path / "mail"
        folders = Folders(str(root), 0o700)
        folders.require(str(root / "ann"), ())
        shutil.rmtree(root)
        folders.forget(str(root / "ann"))
        synced = []
        monkeypatch.setattr(durable, "sync_folder", synced.append)
        folders.require(str(root / "ann"), ())

        assert str(tmp_path) in synced

    def test_root_whose_name_can_not_be_made_sure_is_not_used(self, tmp_path, monkeypatch):
        def refuse(path):
            if path == str(tmp_path):
                raise PermissionError("injected")

        (tmp_path / "mail").mkdir()
        folders = Folders(str(tmp_path / "mail"), 0o700)
        monkeypatch.setattr(durable, "sync_folder", refuse)
        for _ in range(2):
            with pytest.raises(PermissionError):
                folders.require(str(tmp_path / "mail" / "ann"), ())

    def test_root_that_was_made_again_and_not_made_sure_is_not_used(self, tmp_path, monkeypatch):
        def refuse(path):
            if path == str(tmp_path):
                raise OSError("injected")

        root = tmp_path / "mail"
        folders = Folders(str(root), 0o700)
        folders.require(str(root / "ann"), ())
        shutil.rmtree(root)
        folders.forget(str(root / "ann"))
        monkeypatch.setattr(durable, "sync_folder", refuse)
        for _ in range(2):
            with pytest.raises(OSError, match=r"injected"):
                folders.require(str(root / "ann"), ())

    def test_way_up_ends_at_the_top(self, monkeypatch):
        synced = []
        monkeypatch.setattr(durable, "sync_folder", synced.append)
        monkeypatch.setattr(os, "access", lambda path, mode: True)
        monkeypatch.setattr(os.path, "isdir", lambda path: True)
        monkeypatch.setattr(os, "mkdir", lambda path, mode: None)
        monkeypatch.setattr(os, "chmod", lambda path, mode: None)
        Folders("/var/mail", 0o700).require("/var/mail/ann", ())

        assert ["/var", "/", "/var/mail", "/var/mail/ann"] == synced
