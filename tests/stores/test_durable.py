# SPDX-License-Identifier: Apache-2.0
"""
Folders that are there to stay. The order of the calls is test_power_loss.py's.
"""

import os

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
        first = [str(tmp_path), str(tmp_path / "example.org"), ann]

        assert first == synced
        folders.forget(ann)
        folders.require(ann, ("new",))
        assert first * 2 == synced
