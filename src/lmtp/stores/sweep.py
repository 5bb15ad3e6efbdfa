# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: PTH108 - the entry of a scan, without a second look-up
"""
Removes what deliveries that died left in the ``tmp`` of Maildirs.

It reads folders as streams, follows no symbolic link and touches nothing but regular files, so it may run beside
deliveries and readers. Called by maildir.py, on a thread of its caller's. Errors are returned, not raised.
https://cr.yp.to/proto/maildir.html: a file in ``tmp`` for 36 hours belongs to nobody.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

TMP: Final = "tmp"
"""Where messages are written."""
NEW: Final = "new"
"""Where readers find them."""
FOLDERS: Final = (TMP, NEW, "cur")
"""What makes a folder a Maildir."""


@dataclass(frozen=True, slots=True)
class Swept:
    """
    What a sweep did.
    """

    removed: tuple[str, ...]
    """The files that were removed."""
    errors: tuple[OSError, ...]
    """What could not be looked at or removed, and why; the sweep went on with the rest."""


def sweep(root: str, depth: int, oldest: float) -> Swept:
    """
    Remove files from the ``tmp`` of each Maildir.

    Args:
        root: The folder all Maildirs are below.
        depth: How many folders deep they are: what merely looks like one elsewhere is not ours.
        oldest: Files last written before this go; seconds since 1970.
    """
    broom = _Broom(oldest)
    for folder in broom.folders_at(root, depth):
        broom.sweep_maildir(folder)
    return Swept(tuple(broom.removed), tuple(broom.errors))


class _Broom:
    def __init__(self, oldest: float) -> None:
        self.removed: list[str] = []
        self.errors: list[OSError] = []
        self._oldest = oldest

    def folders_at(self, folder: str, depth: int) -> Iterator[str]:
        if depth == 0:
            yield folder
            return
        for entry in self._entries(folder):
            if entry.is_dir(follow_symlinks=False):
                yield from self.folders_at(entry.path, depth - 1)

    def sweep_maildir(self, folder: str) -> None:
        names = {entry.name for entry in self._entries(folder) if entry.is_dir(follow_symlinks=False)}
        if names.issuperset(FOLDERS):
            for entry in self._entries(f"{folder}/{TMP}"):
                if entry.is_file(follow_symlinks=False):
                    self._remove_if_old(entry)

    def _remove_if_old(self, entry: "os.DirEntry[str]") -> None:
        try:
            if entry.stat(follow_symlinks=False).st_mtime >= self._oldest:
                return
            os.unlink(entry)
        except FileNotFoundError:
            return  # a reader swept here too, or a delivery ended
        except OSError as error:
            self.errors.append(error)
        else:
            self.removed.append(entry.path)

    def _entries(self, folder: str) -> Iterator["os.DirEntry[str]"]:
        try:
            with os.scandir(folder) as entries:
                yield from entries
        except FileNotFoundError:
            return  # removed while we walked
        except OSError as error:
            self.errors.append(error)
