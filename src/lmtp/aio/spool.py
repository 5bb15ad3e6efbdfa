# SPDX-License-Identifier: Apache-2.0
"""
The content of one transaction while it comes in and until it is delivered: in memory when small, else in a file.

The file has no name and is gone with its last reader, so nothing is left behind whatever happens; nobody may rely on it
after a crash, and nobody needs to: no recipient has been answered before the store has its own copy.
Implements `message.content.Content`. `write` may raise OSError.
"""

import os
import tempfile
import weakref
from collections.abc import Iterator
from typing import Final

CHUNK_BYTES: Final = 256 * 1024
"""How much is read from a file at a time."""


class MemoryBudget:
    """
    How many octets of content all sessions together may keep in memory; what goes beyond is kept in files.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._left = limit_bytes

    def take(self, octets: int) -> bool:
        """
        Take some of it; whether there was enough.
        """
        if octets > self._left:
            return False
        self._left -= octets
        return True

    def give_back(self, octets: int) -> None:
        """
        Give back what was taken.
        """
        self._left += octets


class Spool:
    """
    The content of one transaction.

    Args:
        budget: Where memory is taken from.
        threshold_bytes: Up to this size it is kept in memory.
        folder: Where the file is made past it; None for the system's own choice.
    """

    def __init__(self, budget: MemoryBudget, threshold_bytes: int, folder: str | None) -> None:
        self._budget = budget
        self._threshold = threshold_bytes
        self._folder = folder
        self._kept: bytes | bytearray = b""
        self._taken = 0
        self._file: int | None = None
        self._size = 0

    @property
    def size_bytes(self) -> int:
        """
        How many octets there are.
        """
        return self._size

    @property
    def is_in_memory(self) -> bool:
        """
        No file was needed.
        """
        return self._file is None

    def write(self, octets: bytes) -> None:
        """
        Add what came in.

        Raises:
            OSError: the file can't be made or written.
        """
        self._size += len(octets)
        if self._file is None and self._size <= self._threshold and self._budget.take(len(octets)):
            self._taken += len(octets)
            self._keep(octets)
        else:
            self._write_to_file(self._file if self._file is not None else self._move_to_file(), octets)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """
        Yield the octets from an offset on, in pieces of at most 256 KiB; several threads may do so at once.

        Raises:
            OSError: the file can't be read.
        """
        if self._file is None:
            octets = self._joined()
            yield octets[start:] if start else octets
            return
        while piece := os.pread(self._file, CHUNK_BYTES, start):
            yield piece
            start += len(piece)

    def read(self) -> bytes:
        """
        Return all of it. A content in a file is read at once: think of its size before.

        Raises:
            OSError: the file can't be read.
        """
        return b"".join(self.chunks())

    def release(self) -> None:
        """
        Give its memory back to the budget: the transaction is over. The octets stay for whoever still reads them.
        """
        self._budget.give_back(self._taken)
        self._taken = 0

    def _keep(self, octets: bytes) -> None:
        # Not a list of pieces: whoever sends two octets at a time would have us keep fifty for each of them.
        if not self._kept:
            self._kept = octets  # most contents come in one piece, which is not copied
            return
        if isinstance(self._kept, bytes):
            self._kept = bytearray(self._kept)
        self._kept += octets

    def _joined(self) -> bytes:
        if isinstance(self._kept, bytearray):
            self._kept = bytes(self._kept)
        return self._kept

    def _move_to_file(self) -> int:
        with tempfile.TemporaryFile(dir=self._folder) as unnamed:
            self._file = os.dup(unnamed.fileno())
        # A thread may still be reading when the session has given up, so the file closes with the last reference.
        weakref.finalize(self, os.close, self._file)
        self._write_to_file(self._file, self._joined())
        self._kept = b""
        self.release()
        return self._file

    @staticmethod
    def _write_to_file(file: int, octets: bytes) -> None:
        rest = memoryview(octets)
        while rest:
            rest = rest[os.write(file, rest) :]
