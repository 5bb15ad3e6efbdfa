# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: PTH100, PTH101, PTH102, PTH112, PTH118, PTH120 - one system call per line is what this is about
"""
Folders that are there to stay: made with the right mode and named on stable storage, all the way down.

A file is safe once it and the folder that names it have been fsynced, and every folder above. Not here: files
(maildir.py), many fsyncs at once (fsync.py). Called by drivers on the writer's threads. Raises OSError.
"""

import errno
import os
import stat
import threading
from typing import Final

MAX_REMEMBERED: Final = 100_000
"""Folders remembered; one more and all are forgotten, which costs each two fsyncs at its next delivery."""


def sync_folder(path: str) -> None:
    """
    Put the names in a folder on stable storage.

    Raises:
        OSError: it can't be said that they are.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Folders:
    """
    Folders below a root, made when they are missing, with their names on stable storage.

    The first time a folder is asked for it is fsynced into its parents even if it is there: a process that was
    killed, or another worker this very moment, may have made it and not fsynced it yet. That goes for the root
    and what is above it too, as far up as this process may have made it. After that it costs no system call.

    Below the root nothing may be a symbolic link when a folder is first asked for: whoever can plant one would
    choose where our process writes. The root itself may be one, as it is the administrator's; so may what is above
    it. A link that comes later, in the place of a folder already known, is followed: with mode 0700 only our own
    user could plant it, and that one can write wherever we can.

    Nor is it seen that somebody else removes a folder and makes it again in between: the new one has often the
    inode number of the old, so no cheap look tells them apart. Whoever does that while we run makes its name sure.

    Methods may be called from several threads.

    Args:
        root: Where all of them are.
        mode: Permission bits of every folder made, whatever the umask.
    """

    def __init__(self, root: str, mode: int) -> None:
        self._root = root
        self._mode = mode
        self._remembered: set[str] = set()
        self._is_root_sure = False
        self._lock = threading.Lock()

    def require(self, folder: str, children: tuple[str, ...]) -> None:
        """
        See to it that a folder below the root and these folders in it are there, and stay there.

        Raises:
            OSError: one can't be made, or is no folder, or is a symbolic link.
        """
        if folder in self._remembered:
            return
        with self._lock:
            self._make(folder)
            self._make_in(folder, children)
            self._remember(folder)

    def forget(self, folder: str) -> None:
        """
        Look again at a folder, and at those above it, when it is next asked for: somebody removed something.
        """
        with self._lock:
            while folder not in {self._root, ""}:
                self._remembered.discard(folder)
                folder = os.path.dirname(folder)
            self._remembered.discard(self._root)

    def _make(self, folder: str) -> None:
        if folder in self._remembered:
            return
        if folder == self._root:
            self._make_root()
        else:
            parent, name = os.path.split(folder)
            self._make(parent)
            self._remember(parent)
            self._make_in(parent, (name,))

    def _make_root(self) -> None:
        missing = []
        folder = os.path.abspath(self._root)
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        if missing:
            self._is_root_sure = False
        for path in reversed(missing):
            self._make_folder(path)
        if not self._is_root_sure:
            _sync_names_up_to(os.path.abspath(self._root))
            self._is_root_sure = True

    def _make_in(self, parent: str, names: tuple[str, ...]) -> None:
        for name in names:
            self._make_folder(os.path.join(parent, name))
        sync_folder(parent)

    def _make_folder(self, path: str) -> None:
        try:
            os.mkdir(path, self._mode)
        except FileExistsError:
            _check_is_folder(path)
        else:
            os.chmod(path, self._mode)  # the umask may have taken bits away

    def _remember(self, folder: str) -> None:
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered.add(folder)


def _sync_names_up_to(folder: str) -> None:
    """
    Put the names of a folder and of those above it on stable storage, as far up as they may be our doing.
    """
    # Where we may not write we made nothing: that name is the administrator's, and it may be forbidden to open what
    # it is in. Where we may write and not read, opening fails, and rightly: we could have made a name that is lost.
    above = os.path.dirname(folder)
    while above != folder and os.access(above, os.W_OK):
        sync_folder(above)
        folder, above = above, os.path.dirname(above)


def _check_is_folder(path: str) -> None:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "A symbolic link stands where a folder of a store belongs", path)
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
