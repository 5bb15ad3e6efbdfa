# SPDX-License-Identifier: Apache-2.0
"""
The contract of a store: stage, then commit or roll back.

A driver does blocking work, `Store.check` aside, and is called on the threads of writer.py, which groups the commits
of concurrent deliveries; delivery/ talks to that, never to a driver. RFC 2033 §4.2: a 250 means stable storage.
"""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from lmtp.message.content import Content
from lmtp.protocol.address import Mailbox
from lmtp.protocol.outcome import Deferred, Outcome


@dataclass(frozen=True, slots=True)
class Copy:
    """
    What one recipient is owed: the octets, and whose they are.
    """

    mailbox: Mailbox
    """The account's own mailbox: it decides the place."""
    head: bytes
    """Octets that come first, with CRLF line ends: this recipient's trace fields and what was edited."""
    content: Content
    """The message as it was received, shared by all recipients of the transaction."""
    body_start: int = 0
    """Offset in the content from which it follows the head unchanged."""


class Staged(Protocol):
    """
    A copy that has been written but that nobody can see yet.
    """

    @property
    def size_bytes(self) -> int:
        """
        Octets really written.
        """
        ...

    def roll_back(self) -> None:
        """
        Leave nothing behind. Never raises; called once, instead of a commit.
        """
        ...


StagedT = TypeVar("StagedT", bound=Staged)


class Store(Protocol[StagedT]):
    """
    A place where mail lands.
    """

    def check(self, mailbox: Mailbox) -> None:
        """
        Refuse a mailbox at RCPT whose copies `stage` would refuse for good after the whole message had come.

        Called on the event loop: it makes no system call.

        Raises:
            PermanentError: no copy for this mailbox can ever be stored (5.1.3).
        """
        ...

    def stage(self, copy: Copy) -> StagedT:
        """
        Write one copy where readers do not look.

        A crash from here to the end of `commit` may leave that file there, never a partial one in sight.

        Called from several threads at once, as `commit` is. Whatever is raised, nothing is left behind.

        Raises:
            OSError: it could not be written; see `deferred_for`.
            TransientError: likewise, and the driver knows the better status.
            PermanentError: it can never be written.
        """
        ...

    def commit(self, staged: Sequence[StagedT]) -> list[Outcome]:
        """
        Make all these copies durable and visible; what happened to each, in order.

        When it returns, each `Delivered` copy is on stable storage under its final name, also after a loss of
        power; any other has been rolled back. Never raises OSError.
        """
        ...


OS_ERRORS: Final[Mapping[int, str]] = {
    errno.ENOSPC: "4.3.1",
    errno.EDQUOT: "4.2.2",
    errno.EFBIG: "4.2.2",
    errno.EACCES: "4.2.0",
    errno.EPERM: "4.2.0",
    errno.EROFS: "4.2.0",
    errno.ELOOP: "4.2.0",
    errno.ENOTDIR: "4.2.0",
    errno.ENAMETOOLONG: "4.2.0",
}
"""Enhanced status of an operating system's error, else 4.3.0. All are transient: disks get mended."""


def deferred_for(error: OSError) -> Deferred:
    """
    Return the outcome for one recipient whose copy could not be stored.
    """
    return Deferred(OS_ERRORS.get(error.errno or 0, "4.3.0"), detail=f"{type(error).__name__}: {error}")
