# SPDX-License-Identifier: Apache-2.0
"""
A disk that keeps only what was synced, and the judge who cuts the power at every step of a recorded run.

What a loss of power leaves, at worst: the octets of a file up to its last fsync, and the names in a folder up
to the folder's last fsync (POSIX promises no more; most file systems do). Not here: reading a recording (trace.py).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import assert_never

from tests.peers.trace import Acknowledge, Create, Link, MakeFolder, Rename, Step, SyncEnd, SyncStart, Unlink, Write


@dataclass(slots=True, eq=False)
class File:
    """
    A file, whatever it is called.
    """

    written_bytes: int = 0
    """Octets written to it so far."""
    durable_bytes: int = 0
    """Of these, the ones a sync that began after they were written has ended."""

    @property
    def is_durable(self) -> bool:
        """
        Nothing of it would be lost.
        """
        return self.durable_bytes == self.written_bytes


@dataclass(slots=True, eq=False)
class Folder:
    """
    A folder, whatever it is called.
    """

    names: dict[str, "File | Folder"] = field(default_factory=dict)
    """What readers see now."""
    durable_names: dict[str, "File | Folder"] = field(default_factory=dict)
    """What they would see after a loss of power."""


Node = File | Folder
Snapshot = tuple[Node, int | dict[str, Node]]


class Disk:
    """
    The files under one folder, which itself is durable and empty at the start; all others are ignored.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._top = Folder()

    def create(self, path: str, node: Node) -> None:
        """
        Give a new file or folder its name; an existing one keeps it.
        """
        parent = self._parent(path)
        if parent is not None:
            parent.names.setdefault(PurePath(path).name, node)

    def write(self, path: str, size_bytes: int) -> None:
        """
        Add octets to a file.
        """
        node = self.find(path)
        if isinstance(node, File):
            node.written_bytes += size_bytes

    def link(self, path: str, new_path: str) -> None:
        """
        Give a file a second name.
        """
        node, parent = self.find(path), self._parent(new_path)
        if node is not None and parent is not None:
            parent.names[PurePath(new_path).name] = node

    def unlink(self, path: str) -> None:
        """
        Take a name away; on the disk it stays until its folder is synced.
        """
        parent = self._parent(path)
        if parent is not None:
            parent.names.pop(PurePath(path).name, None)

    def snapshot(self, path: str) -> Snapshot | None:
        """
        Return what a sync that begins now will make durable.
        """
        match self.find(path):
            case File() as file:
                return file, file.written_bytes
            case Folder() as folder:
                return folder, dict(folder.names)
            case None:
                return None

    def sync(self, snapshot: Snapshot) -> None:
        """
        End a sync.
        """
        match snapshot:
            case File() as file, int(size_bytes):
                file.durable_bytes = max(file.durable_bytes, size_bytes)
            case Folder() as folder, dict(names):
                folder.durable_names = names

    def find(self, path: str, *, after_power_loss: bool = False) -> Node | None:
        """
        Return what has this path now, or would have it after a loss of power.
        """
        if not PurePath(path).is_relative_to(self._root):
            return None
        node: Node | None = self._top
        for name in PurePath(path).relative_to(self._root).parts:
            if not isinstance(node, Folder):
                return None
            node = (node.durable_names if after_power_loss else node.names).get(name)
        return node

    def surviving_files(self, path: str) -> int:
        """
        Count the files a folder would have after a loss of power, each whole.
        """
        folder = self.find(path, after_power_loss=True)
        names = folder.durable_names.values() if isinstance(folder, Folder) else ()
        return sum(isinstance(node, File) and node.is_durable for node in names)

    def _parent(self, path: str) -> Folder | None:
        parent = self.find(str(PurePath(path).parent))
        return parent if isinstance(parent, Folder) else None


class Judge:
    """
    Follows a recording on such a disk and notes every moment at which a loss of power would break a promise.

    Args:
        root: The root of the Maildirs: domain, then local part.
    """

    def __init__(self, root: Path) -> None:
        self.broken: list[str] = []
        """What went wrong, in order."""
        self.acknowledged: Counter[str] = Counter()
        """How many messages were answered 250, by recipient."""
        self._root = root
        self._disk = Disk(root)
        self._syncs: dict[str, Snapshot | None] = {}

    def follow(self, steps: Iterable[Step]) -> None:
        """
        Go through a recording.
        """
        for step in steps:
            self._take(step)

    def _take(self, step: Step) -> None:
        match step:
            case Create(path):
                self._disk.create(path, File())
            case MakeFolder(path):
                self._disk.create(path, Folder())
            case Write(path, size_bytes):
                self._check_unseen(path)
                self._disk.write(path, size_bytes)
            case Link(path, new_path) | Rename(path, new_path):
                self._check_whole(path, new_path)
                self._disk.link(path, new_path)
                if isinstance(step, Rename):
                    self._disk.unlink(path)
            case Unlink(path):
                self._disk.unlink(path)
            case SyncStart() | SyncEnd():
                self._take_sync(step)
            case Acknowledge(recipient):
                self._check_promise(recipient)
            case _:
                assert_never(step)

    def _take_sync(self, step: SyncStart | SyncEnd) -> None:
        if isinstance(step, SyncStart):
            self._syncs[step.key] = self._disk.snapshot(step.path)
        elif snapshot := self._syncs.pop(step.key, None):
            self._disk.sync(snapshot)

    def _check_unseen(self, path: str) -> None:
        if PurePath(path).parent.name in {"new", "cur"}:
            self.broken.append(f"{path} was written to where readers see it")

    def _check_whole(self, path: str, new_path: str) -> None:
        """
        The new name may reach the disk at any moment from now on, so the octets must have.
        """
        node = self._disk.find(path)
        if PurePath(new_path).parent.name == "new" and isinstance(node, File) and not node.is_durable:
            synced = f"{node.durable_bytes} of {node.written_bytes} octets synced"
            self.broken.append(f"{new_path} got its name with {synced}")

    def _check_promise(self, recipient: str) -> None:
        self.acknowledged[recipient] += 1
        local_part, _, domain = recipient.partition("@")
        survivors = self._disk.surviving_files(str(self._root / domain / local_part / "new"))
        if survivors < self.acknowledged[recipient]:
            self.broken.append(f"{recipient} was promised {self.acknowledged[recipient]}, {survivors} would survive")
