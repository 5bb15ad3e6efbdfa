# SPDX-License-Identifier: Apache-2.0
"""
A directory in one file, in the form of Dovecot's passwd-file: ``user:password:uid:gid:gecos:home:shell:extra``.

A lookup is a look into a dictionary, on the event loop; once a second it waits until a thread has seen whether the
file changed, and read it again if so. Not here: passwords are kept, never checked. Raises `TransientError` while
there is nothing to look into.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from lmtp.directory.base import Account, check_default_domain
from lmtp.directory.subaddress import without_detail
from lmtp.observe.events import Warned
from lmtp.observe.observer import Observer
from lmtp.protocol.address import AddressSyntaxError, ForwardPath, Mailbox
from lmtp.protocol.errors import TransientError

POLL_SECONDS: Final = 1.0
"""How old a table may be before nobody is answered from it until the file has been looked at."""
PATIENCE_SECONDS: Final = 5.0
"""How long lookups wait for a reading: 100,000 lines take half a second, a file system that hangs forever."""
MAX_BAD_LINES_TOLD: Final = 100
"""Bad lines told one by one per reading: a path to the wrong file must not flood the log."""
FIELD_NAMES: Final = ("password", "uid", "gid", "gecos", "home", "shell")
"""What stands behind the user, in this order; then come the extra fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersFileOptions:
    """
    Where the users file is and how its names are meant.

    Raises:
        ValueError: the path holds a NUL, or the default domain is none.
    """

    path: Path
    """The file; replace it by renaming a new one over it, so that nobody reads half of it."""
    recipient_delimiter: str = "+"
    """Characters each of which ends the account's name and begins the detail; empty for none."""
    default_domain: str = ""
    """The domain of lines and recipients that come without one; when it is empty lmtp serve takes its server_name."""

    def __post_init__(self) -> None:
        if "\0" in str(self.path):
            raise ValueError("path must be one without NUL")
        check_default_domain(self.default_domain)


class UsersFile:
    """
    Accounts from a file.

    A recipient is looked for as it is spelled (the domain without case), then without case, then both again
    without its detail. Lines that differ in case alone are two accounts; other spellings find the one that is
    all lower case, else the first. A line without a domain serves the default domain, and is a bad one when there
    is none; recipients without one are of that domain, and a bare ``postmaster`` at last finds the file's first
    postmaster (RFC 5321 §4.5.1).

    A file that vanishes, can't be read, is not read in time or holds no account any more leaves the last good
    table in force.

    Args:
        options: Where the file is and how its names are meant.
        observer: Told of bad lines, and of a file that can't be used.
        domain_key: Makes the same of all spellings of a domain.
        monotonic: The clock, in seconds.
        patience_seconds: How long lookups wait for a reading.
    """

    def __init__(
        self,
        options: UsersFileOptions,
        observer: Observer,
        *,
        domain_key: Callable[[str], str] = str.lower,
        monotonic: Callable[[], float] = time.monotonic,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._options = options
        self._observer = observer
        self._domain_key = domain_key
        self._monotonic = monotonic
        self._table: _Table | None = None
        self._stamp: _Stamp | None = None
        self._trouble = f"{options.path}: not read yet"
        self._patience_seconds = patience_seconds
        self._reading: asyncio.Task[None] | None = None
        self._poll: asyncio.Task[None] | None = None
        self._next_poll = -float("inf")

    async def load(self) -> None:
        """
        Read the file; called once, before the first session.

        Raises:
            TransientError: it can't be read or holds no account; the text says which and why.
        """
        # However long it takes: there is nothing to fall back on yet.
        self._next_poll = self._monotonic() + POLL_SECONDS
        await self._read_again()
        if self._table is None:
            raise TransientError("4.3.0", self._trouble)

    def find(self, mailbox: Mailbox) -> Account | Awaitable[Account | None] | None:
        """
        Return the account a mailbox belongs to, or None when the file has none.

        Raises:
            TransientError: the file has never been read with success.
        """
        if self._poll is None and self._monotonic() >= self._next_poll:
            self._start_poll()
        if self._poll is not None:
            return self._find_after(self._poll, mailbox)
        return self._look_up(mailbox)

    async def _find_after(self, poll: asyncio.Task[None], mailbox: Mailbox) -> Account | None:
        # Who was removed must not be accepted, nor who was added be refused, however long no mail came.
        # Shielded: a session that ends while it waits here must not take the others' poll along.
        await asyncio.shield(poll)
        return self._look_up(mailbox)

    def _look_up(self, mailbox: Mailbox) -> Account | None:
        if self._table is None:
            raise TransientError("4.3.0", self._trouble)
        line = self._table.find(mailbox, self._options.recipient_delimiter)
        return _parse_account(line, self._options.default_domain) if line else None

    def _start_poll(self) -> None:
        self._next_poll = self._monotonic() + POLL_SECONDS
        self._poll = asyncio.create_task(self._look())
        self._poll.add_done_callback(self._end_poll)

    def _end_poll(self, _: asyncio.Task[None]) -> None:
        self._poll = None

    async def _look(self) -> None:
        """
        Wait, but not for ever, until the table is what the file says.
        """
        if self._reading is not None:
            return  # it hangs, and has been waited for: no second thread, and no second wait
        self._reading = asyncio.create_task(self._read_again())
        self._reading.add_done_callback(self._end_reading)
        done, _ = await asyncio.wait((self._reading,), timeout=self._patience_seconds)
        if not done:
            self._warn(
                f"{self._options.path}: still being read after {self._patience_seconds:g} s; "
                "until that ends, the accounts read before stay in force"
            )

    def _end_reading(self, _: asyncio.Task[None]) -> None:
        self._reading = None

    async def _read_again(self) -> None:
        # Even the stat is done on a thread: on a network file system it can hang.
        try:
            table = await asyncio.to_thread(_read, self._options, self._domain_key, self._stamp)
        except OSError as error:
            self._stamp = None
            self._report_trouble(f"{self._options.path}: {error.strerror or error}")
            return
        if table is not None:
            self._take(table)

    def _take(self, table: "_Table") -> None:
        self._stamp = table.stamp
        for problem in table.told():
            self._warn(f"{self._options.path}{problem}")
        if table.exact:
            self._table = table
            self._trouble = ""
        else:
            # What a full disk leaves of a file that was being rewritten; believing it bounces all mail.
            self._report_trouble(f"{self._options.path}: no account in it")

    def _report_trouble(self, detail: str) -> None:
        if self._table is not None:
            detail += "; the accounts read before stay in force"
            if detail != self._trouble:
                self._warn(detail)
        self._trouble = detail

    def _warn(self, detail: str) -> None:
        self._observer.observe(Warned(subject="users file", detail=detail))


class _Stamp(NamedTuple):
    """
    What changes when a file does.
    """

    mtime_ns: int
    size: int
    inode: int


@dataclass(slots=True)
class _Table:
    """
    The lines of one reading, by mailbox with the key of its domain.

    Lines stay text until they are found: dictionaries of text alone cost the garbage collector nothing, and
    100,000 lines are dropped for newer ones without a pause of the event loop.
    """

    stamp: _Stamp
    default_domain: str
    domain_key: Callable[[str], str]
    exact: dict[str, str] = field(default_factory=dict)
    folded: dict[str, str] = field(default_factory=dict)
    postmaster: str | None = None
    problems: list[str] = field(default_factory=list)

    def find(self, mailbox: Mailbox, delimiters: str) -> str | None:
        domain = self.domain_key(mailbox.domain or self.default_domain)
        local_part = mailbox.local_part
        line = self._find(local_part, domain)
        if line is None:
            user = without_detail(local_part, delimiters)
            line = self._find(user, domain) if user != local_part else None
        if line is None and not mailbox.domain and mailbox.is_postmaster:
            return self.postmaster
        return line

    def _find(self, local_part: str, domain: str) -> str | None:
        line = self.exact.get(f"{local_part}@{domain}")
        if line is None:
            key = f"{local_part.lower()}@{domain}"
            line = self.exact.get(key) or self.folded.get(key)
        return line

    def add(self, line: str) -> None:
        """
        Add one line.

        Raises:
            ValueError: it is a bad one; the text says why.
        """
        mailbox = _parse_mailbox(line, self.default_domain)
        local_part, domain = mailbox.local_part, self.domain_key(mailbox.domain)
        key = f"{local_part}@{domain}"
        if key in self.exact:
            raise ValueError(f"{mailbox} is on an earlier line")
        self.exact[key] = line
        if local_part != local_part.lower():
            self.folded.setdefault(f"{local_part.lower()}@{domain}", line)
        if self.postmaster is None and mailbox.is_postmaster:
            self.postmaster = line

    def told(self) -> Iterator[str]:
        """
        Yield what is to be said of the bad lines, each to stand behind the file's name.
        """
        yield from self.problems[:MAX_BAD_LINES_TOLD]
        untold = len(self.problems) - MAX_BAD_LINES_TOLD
        if untold > 0:
            yield f": {untold} more bad lines"


def _read(options: UsersFileOptions, domain_key: Callable[[str], str], known: _Stamp | None) -> _Table | None:
    """
    Read the file, on a thread; None when it is the one that is known.
    """
    with options.path.open("rb") as file:
        stat = os.fstat(file.fileno())
        stamp = _Stamp(stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if stamp == known:
            return None
        # A home folder may be named in any encoding; surrogates give its octets back. Some editors begin a file with
        # a byte order mark that nobody sees, and it is no part of the first address.
        text = file.read().decode("utf-8-sig", "surrogateescape")
    table = _Table(stamp, options.default_domain, domain_key)
    for number, line in enumerate(text.split("\n"), start=1):
        if line and not line.isspace() and line[0] != "#":
            _add(table, line.removesuffix("\r"), number)
    return table


def _add(table: _Table, line: str, number: int) -> None:
    try:
        table.add(line)
    except ValueError as error:
        table.problems.append(f":{number}: {error}")


def _parse_account(line: str, default_domain: str) -> Account:
    _, _, rest = line.partition(":")
    return Account(_parse_mailbox(line, default_domain), dict(_named_fields(rest)))


def _parse_mailbox(line: str, default_domain: str) -> Mailbox:
    user, _, _ = line.partition(":")
    try:
        mailbox = ForwardPath.parse(f"<{user}>".encode(), domain_optional=True).mailbox
    except (AddressSyntaxError, UnicodeEncodeError):
        raise ValueError(f"not an address: {user[:60]!r}") from None
    domain = mailbox.domain or default_domain
    if not domain:
        raise ValueError(f"{user} has no domain and there is no default domain")
    return Mailbox(mailbox.local_part, domain)


def _named_fields(rest: str) -> Iterator[tuple[str, str]]:
    """
    Yield what stands behind the user, by name; the last value of a name counts.
    """
    values = rest.split(":", len(FIELD_NAMES))
    extra = values.pop() if len(values) > len(FIELD_NAMES) else ""
    if extra.startswith(":"):
        # The old form: an empty field, then where the mail is.
        extra = f"userdb_mail={extra[1:]}"
    for pair in extra.split():
        name, equals, value = pair.partition("=")
        yield name, value if equals else "yes"
    for name, value in zip(FIELD_NAMES, values, strict=False):
        if value:
            yield name, value
