# SPDX-License-Identifier: Apache-2.0
"""
Lines to a file descriptor, written on a thread: who hands them over never waits and never sees an error.

A pipe whose reader has stopped would else stop the event loop, and with it the mail. What can't be written is
dropped and counted, and the log says so when it flows again. Used by logs.py.
"""

import os
import queue
import select
import threading
from collections.abc import Callable
from typing import Final

MAX_LINES: Final = 10_000
"""Lines that may wait, some 3 MB: two seconds of a busy server."""
_MAX_BATCH: Final = 2000
"""Lines per write: one system call for many of them when they come fast."""
_REST_SECONDS: Final = 0.05
"""
Between two writes; a line that comes alone is written at once. Each waking of the thread takes the interpreter's lock
from the event loop, and a line for each of a thousand messages a second would wake it as often.
"""


class LineWriter:
    """
    Writes lines to a file descriptor, in order. Made after any fork, as threads do not cross it.

    Args:
        fd: Where to write; it stays open, and its flags are left alone: a terminal shares them with the shell.
        lost_line: Makes the line that tells how many were dropped.
        max_lines: How many may wait.
    """

    def __init__(self, fd: int, lost_line: Callable[[int], str], *, max_lines: int = MAX_LINES) -> None:
        self._fd = fd
        self._lost_line = lost_line
        self._max_lines = max_lines
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._refused = 0
        self._failed = 0
        self._told = 0
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lmtp-log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """
        Hand over a line without its end; all from one thread. Dropped when too many wait.
        """
        if self._queue.qsize() < self._max_lines:
            self._queue.put(line)
        else:
            self._refused += 1

    def close(self, timeout_seconds: float = 2.0) -> None:
        """
        Write what waits, but give up on a reader that takes nothing for so long. Nothing may be written after.
        """
        self._queue.put(None)
        self._is_closing.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        is_open = True
        while is_open:
            lines, is_open = self._next_batch()
            self._write_batch(lines)
            self._is_closing.wait(_REST_SECONDS)

    def _write_batch(self, lines: list[str]) -> None:
        try:
            self._write_all(lines)
            self._tell_lost()
        except OSError:
            # A closed pipe, a full disk: there is nobody to complain to; told if it heals.
            self._failed += len(lines)

    def _next_batch(self) -> tuple[list[str], bool]:
        lines: list[str] = []
        line = self._queue.get()
        while line is not None:
            lines.append(line)
            if self._queue.empty() or len(lines) == _MAX_BATCH:
                return lines, True
            line = self._queue.get()
        return lines, False

    def _tell_lost(self) -> None:
        lost = self._refused + self._failed - self._told
        if lost:
            self._told += lost
            self._write_all([self._lost_line(lost)])

    def _write_all(self, lines: list[str]) -> None:
        rest = memoryview("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                # Whoever shares the descriptor made it non-blocking.
                select.select([], [self._fd], [])
