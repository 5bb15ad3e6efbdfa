# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: PTH100, PTH104, PTH108, PTH118 - one system call per line is what this is about; a Path costs microseconds
"""
Maildir: one file a message, written in ``tmp``, fsynced, renamed into ``new``, and ``new`` fsynced.

Lines end with LF on disk; there is no ``From `` line and nothing is quoted. Not here: sub-folders, flags and quotas.
A driver of base.py, run by writer.py; `Maildir.check` raises PermanentError, `Maildir.stage` OSError too.
https://cr.yp.to/proto/maildir.html; RFC 2033 §4.2.
"""

import contextlib
import itertools
import os
import random
import re
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from lmtp.protocol.address import Mailbox
from lmtp.protocol.outcome import Deferred, Delivered, Outcome
from lmtp.stores.base import Copy, deferred_for
from lmtp.stores.durable import Folders
from lmtp.stores.fsync import FsyncAll, SideBySide, fsync_folders
from lmtp.stores.paths import PathTemplate
from lmtp.stores.sweep import FOLDERS, NEW, TMP, Swept, sweep

MAX_AGE_SECONDS: Final = 36 * 60 * 60
"""A file that has been in ``tmp`` for longer belongs to a delivery that died."""

_HAS_OWN_MEANING_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]")
_MAX_HOST: Final = 64
_CRLF_AFTER_NO_CR: Final = re.compile(rb"(?<!\r)\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class MaildirOptions:
    """
    Where the Maildirs are and who may read them.
    """

    root: str
    """The folder under which all of them are; made when it is missing."""
    template: PathTemplate = field(default_factory=PathTemplate)
    """The path of an account's Maildir below the root."""
    file_mode: int = 0o600
    """Permission bits of a message."""
    folder_mode: int = 0o700
    """Permission bits of the folders that are made, the parents of a Maildir included."""


class UnixLines:
    """
    Turns CRLF into LF, piece by piece, wherever the pieces were cut, and counts.

    A CR that is not before LF stays, and so does a CRLF after a CR: readers put a CR back before each LF that has
    none, and then have the very octets that were sent.
    """

    __slots__ = ("_held", "crlf_size_bytes", "size_bytes")

    size_bytes: int
    """Octets returned."""
    crlf_size_bytes: int
    """Octets a reader has who puts a CR before each LF that has none."""

    def __init__(self) -> None:
        self._held = b""
        self.size_bytes = 0
        self.crlf_size_bytes = 0

    def convert(self, piece: bytes) -> bytes:
        """
        Return what can be written of the octets so far.
        """
        octets = self._held + piece
        # CRs at the end wait for what follows. Of many only two: the first shields the second from conversion.
        cut = max(len(octets.rstrip(b"\r")), len(octets) - 2)
        self._held = octets[cut:]
        return self._count(_lf_lines(octets[:cut]))

    def finish(self) -> bytes:
        """
        Return what was still waiting: CRs that nothing followed.
        """
        return self._count(self._held)

    def _count(self, lines: bytes) -> bytes:
        crlfs = lines.count(b"\r\n") if b"\r" in lines else 0
        self.size_bytes += len(lines)
        self.crlf_size_bytes += len(lines) + lines.count(b"\n") - crlfs
        return lines


def _lf_lines(octets: bytes) -> bytes:
    lines = octets.replace(b"\r\n", b"\n")
    # Hardly any mail has a CR left now, and one look for it costs a tenth of the pattern.
    return _CRLF_AFTER_NO_CR.sub(b"\n", octets) if b"\r" in lines else lines


class StagedFile:
    """
    A message in ``tmp``, open and not yet fsynced. One thread at a time uses it.
    """

    __slots__ = ("_descriptor", "_maildir", "_name", "crlf_size_bytes", "size_bytes")

    size_bytes: int
    """Octets really written."""
    crlf_size_bytes: int
    """Octets as a reader counts them who ends lines with CRLF."""

    def __init__(self, maildir: str, name: str, descriptor: int) -> None:
        self._maildir = maildir
        self._name = name
        self._descriptor = descriptor
        self.size_bytes = 0
        self.crlf_size_bytes = 0

    @property
    def maildir(self) -> str:
        """
        The Maildir it is in.
        """
        return self._maildir

    @property
    def new_folder(self) -> str:
        """
        The folder readers look into.
        """
        return f"{self._maildir}/{NEW}"

    @property
    def path(self) -> str:
        """
        Its final name. The sizes are in it: readers then need no look at the file, and break when they are wrong.
        """
        return f"{self._maildir}/{NEW}/{self._name},S={self.size_bytes},W={self.crlf_size_bytes}"

    def write(self, copy: Copy) -> None:
        """
        Write the octets of a copy.

        Raises:
            OSError: they could not be written, or not be read from the content.
        """
        lines = UnixLines()
        for piece in _pieces(copy):
            _write(self._descriptor, lines.convert(piece))
        _write(self._descriptor, lines.finish())
        self.size_bytes = lines.size_bytes
        self.crlf_size_bytes = lines.crlf_size_bytes

    @property
    def descriptor(self) -> int:
        """
        The open file, to be fsynced.
        """
        return self._descriptor

    def close(self) -> None:
        """
        Close the file, which has been fsynced.

        Raises:
            OSError: network file systems may say only now that octets are not there.
        """
        # Marked as closed first: after a failed close the number may already be somebody else's file.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def publish(self) -> None:
        """
        Give the file its final name, which is not durable yet.

        Raises:
            OSError: it is still in ``tmp``.
        """
        # Not link and unlink: that is a call more, is missing on some file systems, and guards against a name
        # that is taken, which O_EXCL in tmp and the name's time, process, counter and random bits already do.
        os.rename(self._tmp_path, self.path)

    def roll_back(self) -> None:
        """
        Leave nothing behind.
        """
        # What can't be removed now goes with a later sweep; the reason for rolling back is what gets reported.
        with contextlib.suppress(OSError):
            self.close()
        with contextlib.suppress(OSError):
            os.unlink(self._tmp_path)

    def withdraw(self) -> None:
        """
        Take back a published file. A reader may have had it: then the client sends a second copy, none is lost.
        """
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    @property
    def _tmp_path(self) -> str:
        return f"{self._maildir}/{TMP}/{self._name}"


def _pieces(copy: Copy) -> Iterator[bytes]:
    chunks = copy.content.chunks(copy.body_start)
    yield copy.head + next(chunks, b"")  # together: a small message is one write
    yield from chunks


def _write(descriptor: int, octets: bytes) -> None:
    rest = memoryview(octets)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


class Maildir:
    """
    A store of Maildirs below one root.

    Args:
        options: Where and how.
        clock: Seconds since 1970, for names and the age of files.
        host: The name of this host in file names.
        fsync_all: How a group of files or folders is fsynced.
    """

    def __init__(
        self,
        options: MaildirOptions,
        *,
        clock: Callable[[], float] = time.time,
        host: str | None = None,
        fsync_all: FsyncAll | None = None,
    ) -> None:
        self._options = options
        self._root = os.path.abspath(options.root)
        self._before_path = os.path.join(self._root, "")
        self._clock = clock
        self._host = _host_in_names(socket.gethostname() if host is None else host)
        self._counter = itertools.count()
        self._folders = Folders(self._root, options.folder_mode)
        self._fsync_all = fsync_all or SideBySide()

    def check(self, mailbox: Mailbox) -> None:
        """
        Refuse a mailbox of whose name no file name can be made.

        Raises:
            PermanentError: a folder on its path would have a name of more than 255 octets (5.1.3).
        """
        self._options.template.render(mailbox)

    def stage(self, copy: Copy) -> StagedFile:
        """
        Write one copy to ``tmp``, in a Maildir that is made when it is missing.

        Raises:
            OSError: it could not be written; nothing is left behind.
            PermanentError: no file can have the mailbox's name (5.1.3).
        """
        maildir = self._before_path + self._options.template.render(copy.mailbox)
        name = self._unique_name()
        descriptor = self._create(maildir, name)
        staged = StagedFile(maildir, name, descriptor)
        try:
            if self._options.file_mode & 0o077:  # a umask takes bits from others: with 0600 nothing is to be mended
                os.fchmod(descriptor, self._options.file_mode)
            staged.write(copy)
        except BaseException:
            staged.roll_back()
            raise
        return staged

    def commit(self, staged: Sequence[StagedFile]) -> list[Outcome]:
        """
        Fsync all files, rename them into ``new``, fsync each ``new`` once; what happened to each, in order.
        """
        # Step by step for the whole group, not file by file: the disk then gets all fsyncs of a step at once.
        outcomes: list[Outcome] = [Delivered(where=one.path) for one in staged]
        for index, error in enumerate(self._fsync_all([one.descriptor for one in staged])):
            if error is not None:
                outcomes[index] = self._give_up(staged[index], error)
        self._step(StagedFile.close, staged, outcomes)
        self._step(StagedFile.publish, staged, outcomes)
        self._sync_folders(staged, outcomes)
        return outcomes

    def sweep(self) -> Swept:
        """
        Remove what deliveries that died left in ``tmp`` more than 36 hours ago, in all Maildirs below the root.

        Blocks for as long as the disk needs: call it on a thread.
        """
        return sweep(self._root, self._options.template.depth, self._clock() - MAX_AGE_SECONDS)

    def _step(
        self,
        step: Callable[[StagedFile], None],
        staged: Sequence[StagedFile],
        outcomes: list[Outcome],
    ) -> None:
        for index, one in enumerate(staged):
            if isinstance(outcomes[index], Delivered):
                try:
                    step(one)
                except OSError as error:
                    outcomes[index] = self._give_up(one, error)

    def _give_up(self, staged: StagedFile, error: OSError) -> Deferred:
        self._folders.forget(staged.maildir)  # perhaps somebody removed it: look again next time
        staged.roll_back()
        return deferred_for(error)

    def _sync_folders(self, staged: Sequence[StagedFile], outcomes: list[Outcome]) -> None:
        published = defaultdict(list)
        for index, one in enumerate(staged):
            if isinstance(outcomes[index], Delivered):
                published[one.new_folder].append(index)
        for folder, error in zip(published, fsync_folders(list(published), self._fsync_all), strict=True):
            if error is not None:
                for index in published[folder]:
                    staged[index].withdraw()
                    outcomes[index] = deferred_for(error)

    def _create(self, maildir: str, name: str) -> int:
        self._folders.require(maildir, FOLDERS)
        try:
            return self._open(f"{maildir}/{TMP}/{name}")
        except FileNotFoundError:  # somebody removed the Maildir since it was last used
            self._folders.forget(maildir)
            self._folders.require(maildir, FOLDERS)
            return self._open(f"{maildir}/{TMP}/{name}")

    def _open(self, path: str) -> int:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(path, flags, self._options.file_mode)

    def _unique_name(self) -> str:
        """
        Return a name nobody else makes: time, process, counter; random bits for containers that share the rest.
        """
        seconds, micros = divmod(int(self._clock() * 1_000_000), 1_000_000)
        unique = f"M{micros}P{os.getpid()}Q{next(self._counter)}R{random.getrandbits(32):08x}"
        return f"{seconds}.{unique}.{self._host}"


def _host_in_names(host: str) -> str:
    def octal(match: re.Match[str]) -> str:
        return "".join(f"\\{octet:03o}" for octet in match[0].encode())

    return _HAS_OWN_MEANING_IN_NAMES.sub(octal, host)[:_MAX_HOST] or "localhost"
