# SPDX-License-Identifier: Apache-2.0
"""
The file of those who may authenticate: ``name:{SCHEME}hash`` on each line, as in Dovecot's passwd-file and /etc/shadow.

Every attempt looks whether the file changed, on the thread the attempt runs on, so who was removed is out at once.
Not here: what a hash means (passwords.py), and who gets mail (directory/). Raises TransientError while nobody can be
checked.
"""

import asyncio
import contextlib
import os
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from lmtp.auth.password_table import PasswordTable
from lmtp.auth.passwords import Secret, parse_secret
from lmtp.auth.scram import prepare
from lmtp.observe.events import Warned
from lmtp.observe.observer import Observer
from lmtp.protocol.errors import TransientError

MAX_BAD_LINES_TOLD: Final = 20
"""Bad lines told one by one per reading: a path to the wrong file must not flood the log."""
_LOCKED: Final = ("!", "*")
_RESTRICTIONS: Final = frozenset({"allow_nets", "allow_real_nets", "nologin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordFileOptions:
    """
    Where the passwords are.

    Raises:
        ValueError: the path holds a NUL.
    """

    path: Path
    """The file; replace it by renaming a new one over it, so that nobody reads half of it."""
    salt_secret: str = field(default="", repr=False)
    """
    What the salts are made from that strangers and users with a password in clear text are shown; it opens nothing.
    Empty: made at each start, so that whoever asks before and after one can tell them from users with stored keys.
    """

    def __post_init__(self) -> None:
        if "\0" in str(self.path):
            raise ValueError("path must be one without NUL")


class PasswordFile:
    """
    Users and what is stored of their passwords. Made and loaded on the event loop, asked on any thread.

    What stands behind the second colon of a line is ignored, but a line that restricts from where its user may come
    is refused as a whole, because nobody here would keep to it. A line without a password, or with a locked one
    (``!``, ``*``), is nobody's. Names are told apart by case, and compared by their prepared form (RFC 4013).

    Nobody is checked against a file that was there before: while it can't be read, or no user is in it, attempts are
    answered with a transient status.

    Args:
        options: Where the passwords are.
        observer: Told of bad lines, and of a file that can't be used; on the event loop.
    """

    def __init__(self, options: PasswordFileOptions, observer: Observer) -> None:
        self._path = options.path
        self._key = options.salt_secret.encode() or secrets.token_bytes(32)
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._table: PasswordTable | None = None
        self._trouble = ""
        self._looking: asyncio.Future[None] | None = None

    async def load(self) -> None:
        """
        Read the file; called once, before the first session.

        Raises:
            TransientError: it can't be read or holds no user; the text says which and why.
        """
        await asyncio.to_thread(self.table)

    @property
    def serves_scram(self) -> bool:
        """
        Whether anybody in the file could use SCRAM when it was last read.
        """
        table = self._table  # a thread may take it away in between
        return table is not None and table.serves_scram

    def look(self) -> None:
        """
        Let a thread see whether the file changed, without waiting. Called on the event loop.

        For a file where nobody can use SCRAM yet: as long as SCRAM is not offered, no attempt might ever look.
        """
        if self._looking is None or self._looking.done():
            self._looking = self._loop.run_in_executor(None, self._look)

    def table(self) -> PasswordTable:
        """
        Return what the file says now. Called on any thread; may wait for the disk.

        Raises:
            TransientError: it can't be read or holds no user; the text says which and why.
        """
        with self._lock:
            try:
                lines = _read(self._path, self._stamp)
            except OSError as error:
                raise self._report_trouble(f"{self._path}: {error.strerror or error}") from error
            if lines is not None:
                self._take(lines)
            if self._table is None:
                raise self._report_trouble(f"{self._path}: no user with a password in it")
            self._trouble = ""
            return self._table

    def _look(self) -> None:
        with contextlib.suppress(TransientError):  # which the observer has been told of
            self.table()

    def _take(self, lines: "_Lines") -> None:
        self._stamp = lines.stamp
        for problem in lines.told():
            self._warn(f"{self._path}{problem}")
        self._table = PasswordTable(lines.users, self._key) if lines.users else None

    def _report_trouble(self, detail: str) -> TransientError:
        if detail != self._trouble:
            self._trouble = detail
            self._warn(detail)
        return TransientError("4.7.0", detail)

    def _warn(self, detail: str) -> None:
        event = Warned(subject="password file", detail=detail)
        self._loop.call_soon_threadsafe(self._observer.observe, event)


class _Stamp(NamedTuple):
    """
    What changes when a file does.
    """

    mtime_ns: int
    size: int
    inode: int


@dataclass(slots=True)
class _Lines:
    """
    What one reading found.
    """

    stamp: _Stamp
    users: dict[str, Secret] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, line: bytes, number: int) -> None:
        """
        Add one line, or what is wrong with it.
        """
        if not line.strip() or line.startswith(b"#"):
            return
        try:
            self._add(line.decode("utf-8"))
        except UnicodeDecodeError:
            self.problems.append(f":{number}: not UTF-8")  # the error itself would hold the line
        except ValueError as error:
            self.problems.append(f":{number}: {error}")

    def _add(self, line: str) -> None:
        name, _, rest = line.partition(":")
        stored, _, others = rest.partition(":")
        if not stored or stored.startswith(_LOCKED):
            return
        name = prepare(name, "user name")
        if name in self.users:
            raise ValueError(f"{name[:60]!r} is on an earlier line")
        keys = {pair.partition("=")[0] for pair in others.replace(":", " ").split()}
        if restrictions := sorted(keys & _RESTRICTIONS):
            raise ValueError(f"{name[:60]!r} would not be restricted by {restrictions[0]}")
        self.users[name] = parse_secret(stored)

    def told(self) -> Iterator[str]:
        """
        Yield what is to be said of the bad lines, each to stand behind the file's name.
        """
        yield from self.problems[:MAX_BAD_LINES_TOLD]
        untold = len(self.problems) - MAX_BAD_LINES_TOLD
        if untold > 0:
            yield f": {untold} more bad lines"


def _read(path: Path, known: _Stamp | None) -> _Lines | None:
    """
    Read the file; None when it is the one that is known.
    """
    with path.open("rb") as file:
        stat = os.fstat(file.fileno())
        stamp = _Stamp(stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if stamp == known:
            return None
        octets = file.read().removeprefix(b"\xef\xbb\xbf")  # some editors begin a file so, and nobody sees it
    lines = _Lines(stamp)
    for number, line in enumerate(octets.split(b"\n"), start=1):
        lines.add(line.removesuffix(b"\r"), number)
    return lines
