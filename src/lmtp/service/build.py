# SPDX-License-Identifier: Apache-2.0
"""
The only place that turns settings into objects.

Knows every driver and no logic. Called once, on the running event loop, by lifecycle.py.
"""

import socket
from dataclasses import dataclass

from lmtp.aio.server import ServerSettings
from lmtp.config.schema import Settings
from lmtp.delivery.agent import DeliveryAgent
from lmtp.directory.base import Directory
from lmtp.directory.everyone import Everyone, EveryoneOptions
from lmtp.directory.users_file import UsersFile
from lmtp.observe.events import Warned
from lmtp.observe.observer import Observer
from lmtp.protocol.address import Mailbox
from lmtp.stores.maildir import Maildir, MaildirOptions, StagedFile
from lmtp.stores.paths import PathTemplate
from lmtp.stores.writer import GroupWriter


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


async def build(settings: Settings, observer: Observer) -> Parts:
    """
    Make all parts.

    Raises:
        TransientError: the users file can't be read.
    """
    name = settings.server_name or socket.getfqdn()
    store = Maildir(_maildir_options(settings))
    directory = await _directory(settings, name, observer)
    writer = GroupWriter(store, observer)
    return Parts(DeliveryAgent(directory, writer), writer, store, _server_settings(settings, name))


async def _directory(settings: Settings, name: str, observer: Observer) -> Directory:
    if settings.users is None:
        observer.observe(Warned(subject="users", detail="no users file: everyone on this machine gets mail here"))
        return Everyone(EveryoneOptions(default_domain=name))
    users = UsersFile(settings.users, observer)
    await users.load()
    if await users.find(Mailbox("postmaster", "")) is None:  # RFC 5321 §4.5.1 wants it read by somebody
        observer.observe(Warned(subject="users", detail="nobody in the users file gets mail for postmaster"))
    return users


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
        limits=settings.limits,
        leniency=settings.leniency,
        deadlines=settings.deadlines,
        connections=settings.connections,
        memory_bytes=settings.memory_bytes,
        spool_threshold_bytes=settings.spool_threshold_bytes,
        spool_folder=settings.spool_folder,
    )
