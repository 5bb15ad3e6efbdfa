# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: PTH102, PTH119, PTH120 - the calls of the store are repeated as they were made
"""
Loss of power: the system calls of deliveries are recorded, and a disk that keeps only what was fsynced plays them.

The disk is as mean as POSIX allows. Octets are sure after an fsync of their file, a name after an fsync of its
folder; anything else may be there after the loss or not. After each call two things must hold:

- what was `Delivered` is reachable by sure names all the way down, and its octets are sure and whole;
- what has a name in ``new``, sure or not, has sure and whole octets: no reader finds half a message.

The second is also what a ``kill -9`` between any two calls leaves.
"""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lmtp.protocol.outcome import Delivered
from lmtp.stores import durable
from lmtp.stores.fsync import SideBySide, fsync_each
from lmtp.stores.maildir import Maildir, MaildirOptions
from lmtp.testing.stores import ANN, BEN, HEAD, MESSAGE, Mailbox, copy_for

WHOLE = (HEAD + MESSAGE).replace(b"\r\n", b"\n")


@dataclass
class File:
    octets: bytes = b""
    sure: bytes = b""


@dataclass
class Folder:
    entries: dict[str, "File | Folder"] = field(default_factory=dict)
    sure: dict[str, "File | Folder"] = field(default_factory=dict)


class Disk:
    """
    A file system below ``top``, which is there for sure.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self.root = Folder()
        self.delivered: list[str] = []
        self.calls: list[str] = []
        self._open: dict[int, File | Folder] = {}

    def mkdir(self, path: str) -> None:
        self._parent(path).entries[os.path.basename(path)] = Folder()
        self._called("mkdir")

    def open(self, path: str, descriptor: int, *, creates: bool) -> None:
        if creates:
            self._parent(path).entries[os.path.basename(path)] = File()
        self._open[descriptor] = self._at(path)
        self._called("open")

    def write(self, descriptor: int, octets: bytes) -> None:
        self._open[descriptor].octets += bytes(octets)
        self._called("write")

    def fsync(self, descriptor: int) -> None:
        node = self._open[descriptor]
        if isinstance(node, File):
            node.sure = node.octets
        else:
            node.sure = dict(node.entries)
        self._called("fsync")

    def close(self, descriptor: int) -> None:
        del self._open[descriptor]
        self._called("close")

    def rename(self, source: str, target: str) -> None:
        self._parent(target).entries[os.path.basename(target)] = self._parent(source).entries.pop(
            os.path.basename(source)
        )
        self._called("rename")

    def deliver(self, path: str) -> None:
        self.delivered.append(path)
        self._called("Delivered")

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self._check_new(self.root, [])
        for path in self.delivered:
            self._check_delivered(path)

    def _check_new(self, folder: Folder, path: list[str]) -> None:
        for name, node in (folder.entries | folder.sure).items():
            if isinstance(node, Folder):
                self._check_new(node, [*path, name])
            elif path[-1] == "new":
                assert WHOLE == node.sure, f"after {self.calls} half a message is in sight"

    def _check_delivered(self, path: str) -> None:
        node: File | Folder = self.root
        for name in self._names(path):
            assert name in node.sure, f"after {self.calls} nothing is sure to lead to {path}"
            node = node.sure[name]
        assert WHOLE == node.sure

    def _names(self, path: str) -> tuple[str, ...]:
        return Path(path).relative_to(self.top).parts

    def _at(self, path: str) -> File | Folder:
        node: File | Folder = self.root
        for name in self._names(path):
            node = node.entries[name]
        return node

    def _parent(self, path: str) -> Folder:
        return self._at(os.path.dirname(path))


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """
    A disk that sees each call of the store which changes the real one below ``tmp_path``.
    """
    disk = Disk(tmp_path)
    calls = {name: getattr(os, name) for name in ("open", "mkdir", "write", "fsync", "close", "rename")}

    def recording_open(path, flags, mode=0o777):
        descriptor = calls["open"](path, flags, mode)
        disk.open(path, descriptor, creates=bool(flags & os.O_CREAT))
        return descriptor

    def access(path, mode):
        return Path(path).is_relative_to(tmp_path)  # what is above is there for sure

    def recording_mkdir(path, mode):
        calls["mkdir"](path, mode)
        disk.mkdir(path)

    def recording_write(descriptor, octets):
        written = calls["write"](descriptor, octets[:30])  # in several writes, so that there are halves to be seen
        disk.write(descriptor, octets[:written])
        return written

    def recording(name):
        def call(*args):
            calls[name](*args)
            getattr(disk, name)(*args)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", recording_open)
        patch.setattr(os, "mkdir", recording_mkdir)
        patch.setattr(os, "access", access)
        patch.setattr(os, "write", recording_write)
        for name in ("fsync", "close", "rename"):
            patch.setattr(os, name, recording(name))
        yield disk


@pytest.fixture(params=["each", "side by side"])
def make_store(disk, request):
    """
    Make stores on that disk, with either way to fsync a group.
    """
    side_by_side = SideBySide()

    def recorded(descriptors):
        results = side_by_side(descriptors)
        for descriptor in descriptors if len(descriptors) > 1 else ():
            disk.fsync(descriptor)
        return results

    fsync_all = fsync_each if request.param == "each" else recorded
    return lambda root: Maildir(MaildirOptions(root=str(root)), fsync_all=fsync_all)


def deliver(disk: Disk, store: Maildir, *mailboxes: Mailbox) -> None:
    for outcome in store.commit([store.stage(copy_for(mailbox)) for mailbox in mailboxes]):
        assert isinstance(outcome, Delivered)
        disk.deliver(outcome.where)


class TestMaildir:
    """
    RFC 2033 §4.2: what was answered 250 is there, whatever happens; T62: the folders too.
    """

    @pytest.mark.guards("T62", "LMTP-4.2-7", "MD-4")
    @pytest.mark.parametrize(
        "groups",
        [[(ANN,)], [(ANN, BEN)], [(ANN, ANN, BEN)], [(ANN,), (ANN,), (BEN,), (ANN, BEN)]],
        ids=["first", "two new folders", "one folder twice", "one after the other"],
    )
    def test_delivered_is_sure_and_new_is_whole_after_each_call(self, disk, make_store, tmp_path, groups):
        store = make_store(tmp_path / "var" / "mail")
        for mailboxes in groups:
            deliver(disk, store, *mailboxes)

        assert sum(map(len, groups)) == len(disk.delivered)

    @pytest.mark.guards("MD-4")
    def test_folders_that_another_process_made_and_did_not_fsync_are_made_sure(self, disk, make_store, tmp_path):
        root = tmp_path / "mail"
        deliver(disk, make_store(root), BEN)
        for folder in ("example.org/ann", "example.org/ann/tmp", "example.org/ann/new", "example.org/ann/cur"):
            os.mkdir(str(root / folder), 0o700)

        deliver(disk, make_store(root), ANN)

    @pytest.mark.parametrize("made", [["var"], ["var", "var/mail"]], ids=["half the way", "root"])
    def test_root_that_a_killed_process_made_and_did_not_fsync_is_made_sure(self, disk, make_store, tmp_path, made):
        for folder in made:
            os.mkdir(str(tmp_path / folder), 0o700)

        deliver(disk, make_store(tmp_path / "var" / "mail"), ANN)

    @pytest.mark.guards("MD-4")
    def test_files_are_fsynced_before_any_is_renamed(self, disk, make_store, tmp_path):
        store = make_store(tmp_path / "mail")
        deliver(disk, store, ANN, BEN)
        disk.calls.clear()
        deliver(disk, store, ANN, BEN)

        steps = [name for name in disk.calls if name in {"fsync", "rename", "Delivered"}]
        assert ["fsync"] * 2 + ["rename"] * 2 + ["fsync"] * 2 + ["Delivered"] * 2 == steps


class TestGuard:
    """
    The disk notices the mistakes it is there for.
    """

    def test_new_folder_that_is_not_fsynced_is_noticed(self, disk, tmp_path, monkeypatch):
        monkeypatch.setattr(durable, "sync_folder", lambda path: None)

        with pytest.raises(AssertionError, match=r"nothing is sure to lead to"):
            deliver(disk, Maildir(MaildirOptions(root=str(tmp_path / "mail"))), ANN)

    @pytest.mark.parametrize(
        ("is_skipped", "what_is_noticed"),
        [(stat.S_ISDIR, "nothing is sure to lead to"), (stat.S_ISREG, "half a message is in sight")],
        ids=["folder", "file"],
    )
    def test_fsync_that_is_skipped_is_noticed(self, disk, tmp_path, is_skipped, what_is_noticed):
        def skipping(descriptors):
            return [None if is_skipped(os.fstat(each).st_mode) else fsync_each([each])[0] for each in descriptors]

        with pytest.raises(AssertionError, match=what_is_noticed):
            deliver(disk, Maildir(MaildirOptions(root=str(tmp_path / "mail")), fsync_all=skipping), ANN)
