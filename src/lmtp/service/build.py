# SPDX-License-Identifier: Apache-2.0
"""
The only place that turns settings into objects.

Knows every driver, and what must hold of the machine before mail is taken. Called once, on the running event loop,
by lifecycle.py. Raises TransientError for the users file and OSError for the rest.
"""

import errno
import resource
import socket
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lmtp.aio.access import Peers
from lmtp.aio.admission import Access, Admittance
from lmtp.aio.server import ServerSettings
from lmtp.aio.tls import ServerTls
from lmtp.config.domains import ascii_domain, domain_key
from lmtp.config.schema import AuthSettings, Settings
from lmtp.delivery.agent import DeliveryAgent
from lmtp.directory.base import Directory, ask
from lmtp.directory.everyone import Everyone, EveryoneOptions
from lmtp.directory.users_file import UsersFile, UsersFileOptions
from lmtp.observe.events import Warned
from lmtp.observe.observer import Observer
from lmtp.protocol.address import Mailbox
from lmtp.protocol.sasl import Authenticator
from lmtp.stores.maildir import Maildir, MaildirOptions, StagedFile
from lmtp.stores.paths import PathTemplate
from lmtp.stores.writer import GroupWriter

SPARE_FILES: Final = 64
"""Open files for what is no session: listeners, the log, messages that are being written or spooled."""


@dataclass(frozen=True, slots=True)
class Parts:
    """
    What a delivery agent is made of.
    """

    agent: DeliveryAgent
    """The handler."""
    writer: GroupWriter[StagedFile]
    """The store's threads; to be closed last."""
    store: Maildir
    """Where mail lands."""
    server_settings: ServerSettings
    """How the server is to be run."""
    tls: ServerTls | None
    """The certificate, if there is one."""
    authenticator: Authenticator | None
    """Who checks credentials, if anybody."""


async def build(settings: Settings, observer: Observer) -> Parts:
    """
    Make all parts.

    Raises:
        TransientError: the users file or the password file can't be read.
        TlsError: there is no TLS with the files given.
        OSError: no spool file can be made.
    """
    _check_spool_folder(settings.spool_folder)
    _check_file_limit(settings.connections, observer)
    name = settings.server_name or _own_name(observer)
    store = Maildir(_maildir_options(settings))
    directory = await _directory(settings.users, name, observer)
    tls = await ServerTls.load(settings.tls, observer) if settings.tls else None
    authenticator = await _authenticator(settings.auth, observer) if settings.auth else None
    writer = GroupWriter(store, observer)  # last: its threads would outlive a failure
    agent = DeliveryAgent(directory, writer)
    return Parts(agent, writer, store, _server_settings(settings, name), tls, authenticator)


def _check_spool_folder(folder: str) -> None:
    """
    Make a spool file, as the first big message will.

    Raises:
        OSError: it can't be made.
    """
    try:
        with tempfile.TemporaryFile(dir=folder or None):
            pass
    except OSError as error:
        place = f"{folder}: " if folder else ""
        raise OSError(error.errno or errno.EIO, f"spool_folder: {place}{error.strerror or error}") from error


def _check_file_limit(connections: int, observer: Observer) -> None:
    """
    Warn when sessions would run out of files before they run out of connections, which no client gets a 421 for.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        detail = f"only {hard} files may be open, and {connections} connections want {wanted}: raise the hard limit"
        observer.observe(Warned(subject="files", detail=f"{detail} (LimitNOFILE=, ulimit -Hn) or lower connections"))


def _own_name(observer: Observer) -> str:
    """
    Return the machine's name as a domain; containers are called ``my_box_1``, which is none (RFC 5321 §4.1.2).
    """
    try:
        # The resolver, too, raises a kind of ValueError for names such as ``a..b`` or one of 64 octets.
        name, reason = ascii_domain(socket.getfqdn()), "it is empty"
    except ValueError as error:
        name, reason = "", str(error)
    if name:
        return name
    detail = f"this machine's own name can't be used ({reason}), so we are localhost: set server_name"
    observer.observe(Warned(subject="server name", detail=detail))
    return "localhost"


async def _directory(options: UsersFileOptions | None, name: str, observer: Observer) -> Directory:
    if options is None:
        observer.observe(Warned(subject="users", detail="no users file: everyone on this machine gets mail here"))
        return Everyone(EveryoneOptions(default_domain=name), domain_key)
    options = replace(options, default_domain=options.default_domain or name)
    users = UsersFile(options, observer, domain_key=domain_key)
    await users.load()
    if await ask(users, Mailbox("postmaster", "")) is None:  # RFC 5321 §4.5.1 wants it read by somebody
        observer.observe(Warned(subject="users", detail="nobody in the users file gets mail for postmaster"))
    return users


async def _authenticator(settings: AuthSettings, observer: Observer) -> Authenticator:
    # What reads and checks passwords takes a tenth of a second to import, which most servers need not spend.
    from lmtp.auth.authenticator import SaslAuthenticator, SaslOptions  # noqa: PLC0415
    from lmtp.auth.password_file import PasswordFile, PasswordFileOptions  # noqa: PLC0415

    passwords = None
    if settings.passwords:
        options = PasswordFileOptions(path=Path(settings.passwords), salt_secret=settings.salt_secret)
        passwords = PasswordFile(options, observer)
        await passwords.load()
    wanted = SaslOptions(mechanisms=settings.mechanisms, external_identities=settings.external_identities)
    return SaslAuthenticator(wanted, passwords)


def _admittance(settings: Settings) -> Admittance:
    access = settings.access
    return Admittance(
        extensions=frozenset(settings.extensions),
        demands=settings.demands,
        access=Access(
            connect=Peers.parse(access.connect) if access.connect else None,
            proxy=Peers.parse(access.proxy),
            xclient=Peers.parse(access.xclient),
            xforward=Peers.parse(access.xforward),
            trace=Peers.parse(access.trace),
        ),
    )


def _maildir_options(settings: Settings) -> MaildirOptions:
    return MaildirOptions(
        root=settings.maildir.root,
        template=PathTemplate(settings.maildir.template),
        file_mode=settings.maildir.file_mode,
        folder_mode=settings.maildir.folder_mode,
    )


def _server_settings(settings: Settings, name: str) -> ServerSettings:
    return ServerSettings(
        server_name=name,
        admittance=_admittance(settings),
        limits=settings.limits,
        leniency=settings.leniency,
        deadlines=settings.deadlines,
        connections=settings.connections,
        memory_bytes=settings.memory_bytes,
        spool_threshold_bytes=settings.spool_threshold_bytes,
        spool_folder=settings.spool_folder,
    )
