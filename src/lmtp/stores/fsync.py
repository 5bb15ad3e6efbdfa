# SPDX-License-Identifier: Apache-2.0
"""
Many fsyncs at once, from one thread.

An fsync waits for the disk, and a disk takes many at a time. Threads could wait side by side, but each wakes up to
fight for the interpreter's lock; Linux's asynchronous I/O lets the kernel do the waiting, in two calls for a group,
at a quarter of the processor time. Elsewhere, or where a sandbox forbids it, files are fsynced one after another.
Not here: what is fsynced when (maildir.py). Errors are returned, not raised, and what is not known to be done is an
error. Linux io_submit(2), IOCB_CMD_FSYNC.
"""

import ctypes
import errno
import os
import platform
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

Results = list[OSError | None]
"""What each fsync came to, in order: None where it succeeded."""
FsyncAll = Callable[[Sequence[int]], Results]
"""
Something that fsyncs all of these descriptors. It never raises, and when it returns none is under way any more: the
descriptors are closed right after.
"""

QUEUE_LENGTH: Final = 64
"""How many fsyncs are under way at once for a thread."""

_IOCB_CMD_FSYNC: Final = 2
_CONCERNS_A_FILE: Final = frozenset({errno.EBADF, errno.EINVAL, errno.EAGAIN})
"""What io_submit says of a file that can't be fsynced, or of a moment; anything else is about the queue."""


class _Calls(NamedTuple):
    """
    The numbers of the system calls; libc has no functions for them.
    """

    setup: int
    destroy: int
    getevents: int
    submit: int


_NUMBERS: Final = {"x86_64": _Calls(206, 207, 208, 209), "aarch64": _Calls(0, 1, 4, 2)}


class _Request(ctypes.Structure):
    """
    The kernel's struct iocb, on little-endian machines.
    """

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("key", ctypes.c_uint32),
        ("rw_flags", ctypes.c_int32),
        ("opcode", ctypes.c_uint16),
        ("priority", ctypes.c_int16),
        ("descriptor", ctypes.c_uint32),
        ("buffer", ctypes.c_uint64),
        ("length", ctypes.c_uint64),
        ("offset", ctypes.c_int64),
        ("reserved", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("event_descriptor", ctypes.c_uint32),
    )


class _Event(ctypes.Structure):
    """
    The kernel's struct io_event.
    """

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("request", ctypes.c_uint64),
        ("result", ctypes.c_int64),
        ("result2", ctypes.c_int64),
    )


def fsync_each(descriptors: Sequence[int]) -> Results:
    """
    Fsync one after another.
    """
    return [_attempt(os.fsync, descriptor) for descriptor in descriptors]


def _attempt(call: Callable[[int], None], descriptor: int) -> OSError | None:
    try:
        call(descriptor)
    except OSError as error:
        return error
    return None


def fsync_folders(paths: Sequence[str], fsync_all: FsyncAll) -> Results:
    """
    Put the names in these folders on stable storage.
    """
    opened = [_open_folder(path) for path in paths]
    descriptors = [each for each in opened if isinstance(each, int)]
    fsynced = fsync_all(descriptors)
    closed = [_attempt(os.close, descriptor) for descriptor in descriptors]
    results = iter([first or second for first, second in zip(fsynced, closed, strict=True)])
    return [next(results) if isinstance(each, int) else each for each in opened]


def _open_folder(path: str) -> int | OSError:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        return error


class KernelQueue:
    """
    A queue of the kernel's; one thread at a time uses it.

    Once the kernel, or a sandbox, refuses what it did before, the queue is given up for good and files are fsynced
    one after another.

    Raises:
        OSError: this kernel, machine or sandbox has none.
    """

    def __init__(self) -> None:
        self._context = ctypes.c_ulong(0)
        numbers = _NUMBERS.get(platform.machine())
        if numbers is None or platform.system() != "Linux" or sys.maxsize < 2**32:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._calls = numbers
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._requests = (_Request * QUEUE_LENGTH)()
        self._pointers = (ctypes.c_void_p * QUEUE_LENGTH)(*(ctypes.addressof(each) for each in self._requests))
        self._events = (_Event * QUEUE_LENGTH)()
        self._next_number = 0
        self._call(self._calls.setup, QUEUE_LENGTH, ctypes.byref(self._context))
        # For nothing yet: a sandbox that lets one of them through and not the other is found out before mail is.
        self._submit(0)
        self._wait_for(0)

    def __del__(self) -> None:
        self._give_up()

    def fsync_all(self, descriptors: Sequence[int]) -> Results:
        """
        Fsync all of them side by side; return when none is under way any more. Never raises.
        """
        results: Results = []
        for start in range(0, len(descriptors), QUEUE_LENGTH):
            some = descriptors[start : start + QUEUE_LENGTH]
            results += self._fsync_some(some) if self._context.value else fsync_each(some)
        return results

    def _fsync_some(self, descriptors: Sequence[int]) -> Results:
        first = self._prepare(descriptors)
        submitted = self._submit_all(len(descriptors))
        # What the kernel would not take gets an ordinary fsync, which does it or says why not. What it took must
        # not: the kernel tells of a failed write once, so a second fsync can succeed where the first one failed.
        return self._collect(first, submitted) + fsync_each(descriptors[submitted:])

    def _prepare(self, descriptors: Sequence[int]) -> int:
        """
        Fill in the requests; return the number of the first. No two requests of a queue have the same number.
        """
        first = self._next_number
        self._next_number += len(descriptors)
        for index, descriptor in enumerate(descriptors):
            request = self._requests[index]
            request.data, request.opcode, request.descriptor = first + index, _IOCB_CMD_FSYNC, descriptor
        return first

    def _submit_all(self, count: int) -> int:
        try:
            return self._submit(count)
        except OSError as error:
            if error.errno not in _CONCERNS_A_FILE:
                self._give_up()
            return 0

    def _collect(self, first: int, count: int) -> Results:
        results: Results = [OSError(errno.EIO, "The fsync is not known to be done") for _ in range(count)]
        missing = set(range(first, first + count))
        try:
            while missing:
                for event in self._events[: self._wait_for(len(missing))]:
                    if event.data in missing:  # any other would be of a group that is over, and says nothing of this
                        missing.remove(event.data)
                        results[event.data - first] = _error_of(event.result)
        except OSError:
            self._give_up()
        return results

    def _give_up(self) -> None:
        """
        Destroy the queue, which waits for what is under way: nobody's descriptor is in use after that.
        """
        # Even were it refused: the kernel has a hold of its own on each file, and wrote to no memory of ours.
        if self._context.value:
            self._syscall(self._calls.destroy, self._context)
            self._context.value = 0

    def _submit(self, count: int) -> int:
        return self._call(self._calls.submit, self._context, ctypes.c_long(count), self._pointers)

    def _wait_for(self, count: int) -> int:
        wanted, room = ctypes.c_long(count), ctypes.c_long(QUEUE_LENGTH)
        while True:
            try:
                return self._call(self._calls.getevents, self._context, wanted, room, self._events, None)
            except InterruptedError:
                continue

    def _call(self, number: int, *arguments: object) -> int:
        result = self._syscall(ctypes.c_long(number), *arguments)
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return int(result)


def _error_of(result: int) -> OSError | None:
    return None if result == 0 else OSError(-result, os.strerror(-result))


class SideBySide:
    """
    An `FsyncAll` for several threads: each has a kernel queue of its own, or does without.
    """

    def __init__(self) -> None:
        self._own = threading.local()

    def __call__(self, descriptors: Sequence[int]) -> Results:
        """
        Fsync all of them; return when none is under way any more. Never raises.
        """
        if len(descriptors) == 1:
            return fsync_each(descriptors)  # one call instead of two
        if not hasattr(self._own, "fsync_all"):
            self._own.fsync_all = _best_way()
        results: Results = self._own.fsync_all(descriptors)
        return results


def _best_way() -> FsyncAll:
    try:
        return KernelQueue().fsync_all
    except OSError:
        return fsync_each
