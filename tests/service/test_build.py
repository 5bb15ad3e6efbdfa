# SPDX-License-Identifier: Apache-2.0
"""
What becomes of settings: the names that go into mail, and what is said at the start instead of at the first message.
"""

import asyncio
import errno
import resource
import socket
import tempfile

import pytest

from lmtp.config.schema import MaildirSettings, Settings
from lmtp.directory.base import ask
from lmtp.directory.users_file import UsersFileOptions
from lmtp.protocol.address import Mailbox
from lmtp.service.build import SPARE_FILES, build


class Start:
    """
    Builds once, and writes down what is told.
    """

    def __init__(self, folder):
        self.folder = folder
        self.told = []

    def observe(self, event):
        self.told.append((event.subject, event.detail))

    def about(self, subject):
        return [detail for about, detail in self.told if about == subject]

    async def build(self, **settings):
        settings = {"maildir": MaildirSettings(root=str(self.folder / "mail")), **settings}
        parts = await build(Settings(**settings), self)
        await parts.writer.close()
        return parts

    async def name(self, **settings):
        return (await self.build(**settings)).server_settings.server_name

    async def account(self, mailbox, **settings):
        """
        Return the mailbox of the account the agent finds, as text.
        """
        parts = await self.build(**settings)
        account = await ask(parts.agent._directory, mailbox)
        return account and str(account.mailbox)

    def users(self, text, **options):
        path = self.folder / "users"
        path.write_text(text)
        return UsersFileOptions(path=path, **options)


@pytest.fixture
def start(tmp_path):
    return Start(tmp_path)


@pytest.fixture
def machine(monkeypatch):
    """
    Give the machine a name.
    """
    return lambda name: monkeypatch.setattr(socket, "getfqdn", lambda: name)


class TestServerName:
    """
    What greets and signs is a domain (RFC 5321 §4.1.2), whatever the machine is called.
    """

    async def test_is_the_one_that_was_set(self, start, machine):
        machine("my_box_1")

        assert "store.example.org" == await start.name(server_name="store.example.org")
        assert [] == start.about("server name")

    async def test_is_else_the_machines_own(self, start, machine):
        machine("box.example.org")

        assert "box.example.org" == await start.name()
        assert [] == start.about("server name")

    async def test_is_the_machines_own_as_a_labels(self, start, machine):
        machine("bücher.example")

        assert "xn--bcher-kva.example" == await start.name()

    @pytest.mark.parametrize(
        ("own", "reason"),
        [("my_box_1", "expected a domain or an address literal, not 'my_box_1'"), ("", "it is empty")],
    )
    async def test_is_localhost_when_the_machines_own_is_no_domain_and_that_is_told(self, start, machine, own, reason):
        machine(own)

        assert "localhost" == await start.name()
        assert [
            f"this machine's own name can't be used ({reason}), so we are localhost: set server_name"
        ] == start.about("server name")

    @pytest.mark.parametrize("own", ["a..b", "x" * 64])
    async def test_is_localhost_when_the_resolver_chokes_on_the_machines_own(self, start, monkeypatch, own):
        monkeypatch.setattr(socket, "gethostname", lambda: own)

        assert "localhost" == await start.name()
        assert 1 == len(start.about("server name"))

    async def test_serves_everyone_without_a_domain(self, start, machine):
        machine("my_box_1")

        assert "postmaster@localhost" == await start.account(Mailbox("postmaster", ""))


class TestUsers:
    async def test_lines_without_a_domain_are_of_the_server(self, start):
        users = start.users("ann\npostmaster\n")

        assert "ann@store.example" == await start.account(
            Mailbox("ann", "store.example"), users=users, server_name="store.example"
        )
        assert [] == start.told

    async def test_lines_without_a_domain_are_of_the_default_domain_when_there_is_one(self, start):
        users = start.users("ann\npostmaster\n", default_domain="example.org")
        names = {"users": users, "server_name": "store.example"}

        assert "ann@example.org" == await start.account(Mailbox("ann", "example.org"), **names)
        assert await start.account(Mailbox("ann", "store.example"), **names) is None

    async def test_nobody_for_postmaster_is_told(self, start):
        await start.build(users=start.users("ann@example.org\n"))

        assert ["nobody in the users file gets mail for postmaster"] == start.about("users")

    async def test_everyone_is_told(self, start):
        await start.build()

        assert ["no users file: everyone on this machine gets mail here"] == start.about("users")


class TestSpoolFolder:
    """
    A folder that can't be written is said at the start, not when the first big message comes.
    """

    async def test_that_is_missing_ends_the_start(self, start, tmp_path):
        with pytest.raises(FileNotFoundError) as error:
            await start.build(spool_folder=str(tmp_path / "missing"))

        assert f"spool_folder: {tmp_path}/missing: No such file or directory" == error.value.strerror

    async def test_that_is_a_file_ends_the_start(self, start, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(NotADirectoryError) as error:
            await start.build(spool_folder=str(tmp_path / "file"))

        assert f"spool_folder: {tmp_path}/file: Not a directory" == error.value.strerror

    async def test_that_can_not_be_written_ends_the_start(self, start, monkeypatch):
        def refuse(**_):
            raise OSError(errno.EROFS, "Read-only file system", "/tmp/x")

        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
        with pytest.raises(OSError, match="spool_folder: Read-only file system"):
            await start.build()

    async def test_that_can_be_written_is_left_empty(self, start, tmp_path):
        folder = tmp_path / "spool"
        folder.mkdir()
        await start.build(spool_folder=str(folder))

        assert [] == await asyncio.to_thread(lambda: list(folder.iterdir()))


class TestFileLimit:
    @pytest.fixture
    def hard_limit(self, monkeypatch):
        return lambda hard: monkeypatch.setattr(resource, "getrlimit", lambda _: (64, hard))

    @pytest.mark.parametrize("hard", [resource.RLIM_INFINITY, 100 + SPARE_FILES])
    async def test_that_is_enough_is_nothing_to_tell(self, start, hard_limit, hard):
        hard_limit(hard)
        await start.build(connections=100)

        assert [] == start.about("files")

    async def test_that_is_lower_than_the_connections_is_told(self, start, hard_limit):
        hard_limit(100)
        await start.build(connections=100)

        (told,) = start.about("files")
        assert told.startswith("only 100 files may be open, and 100 connections want 164: raise the hard limit ")
