# SPDX-License-Identifier: Apache-2.0
"""
The LMTP servers there are to compare, each made ready the same way: who is known, who is not, whose delivery fails.

Not here: how each is started (one module a peer). Called by start.py and by the tests of the servers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.peers.agent import Agent
from tests.peers.cyrus import Cyrus
from tests.peers.dovecot import USER, Dovecot
from tests.peers.libraries import Aiosmtpd, LibraryServer, Nodemailer
from tests.peers.maildir import Mailbox
from tests.peers.process import Peer, give
from tests.peers.smtp_sink import SmtpSink

USERS: Final = ("ann@example.org", "bob@example.org")
"""Two recipients to whom everything is delivered."""
POSTMASTER: Final = "postmaster@example.org"
"""Who gets mail as well, as RFC 5321 §4.5.1 wants it."""
UNKNOWN: Final = "nobody@example.org"
"""One who is refused at RCPT, but by a server that knows no recipients."""
FAILING: Final = "full@example.org"
"""One who is accepted at RCPT and answered with a failure after the content, but by such a server."""
OURS: Final = "ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """
    A server that runs inside a ``with`` block around its peer.
    """

    peer: Peer
    """What to start and stop."""
    endpoint: Path | int
    """Where it listens: a Unix socket, or a port of the loopback."""
    messages: Callable[[str], list[bytes]]
    """What it has stored for a recipient."""
    log: Callable[[], str]
    """All it has logged."""
    knows_recipients: bool = True
    """Whether there are `UNKNOWN` and `FAILING`."""
    maildir: Path | None = None
    """The root of its Maildirs, if that is how it stores: domain, then local part."""


def _cyrus(folder: Path) -> Server:
    peer = Cyrus(folder, [*USERS, POSTMASTER, FAILING], over_quota=[FAILING])
    return Server(peer=peer, endpoint=peer.socket, messages=peer.messages, log=peer.log)


def _dovecot(folder: Path) -> Server:
    maildir = folder / "mail"
    maildir.mkdir()
    give(maildir, USER)
    peer = Dovecot(folder, maildir, [*USERS, POSTMASTER, FAILING], over_quota=[FAILING])
    return Server(peer=peer, endpoint=peer.lmtp_socket, messages=_reader(maildir), log=peer.log, maildir=maildir)


def _library(kind: type[LibraryServer]) -> Callable[[Path], Server]:
    def make(folder: Path) -> Server:
        peer = kind(folder, [*USERS, POSTMASTER, FAILING], over_quota=[FAILING])
        return Server(
            peer=peer, endpoint=peer.socket, messages=_reader(peer.maildir), log=peer.log, maildir=peer.maildir
        )

    return make


def _smtp_sink(folder: Path) -> Server:
    peer = SmtpSink(folder)
    return Server(peer=peer, endpoint=peer.port, messages=peer.messages, log=peer.log, knows_recipients=False)


def _ours(folder: Path) -> Server:
    peer = Agent(folder, [*USERS, POSTMASTER, FAILING])
    # A file where the Maildir would be: it can't be delivered to.
    obstacle = peer.mailbox(FAILING).path
    obstacle.parent.mkdir()
    obstacle.touch()
    return Server(
        peer=peer,
        endpoint=peer.socket,
        messages=_reader(peer.maildir),
        log=peer.log_file.read_text,
        maildir=peer.maildir,
    )


def _reader(maildir: Path) -> Callable[[str], list[bytes]]:
    def messages(user: str) -> list[bytes]:
        local_part, _, domain = user.partition("@")
        return Mailbox(maildir / domain / local_part).messages()

    return messages


SERVERS: Final[Mapping[str, Callable[[Path], Server]]] = {
    "aiosmtpd": _library(Aiosmtpd),
    "cyrus": _cyrus,
    "dovecot": _dovecot,
    "nodemailer": _library(Nodemailer),
    OURS: _ours,
    "smtp-sink": _smtp_sink,
}
"""Each by its name, made in an empty folder other users may pass through; all but `OURS` are names of peers."""
